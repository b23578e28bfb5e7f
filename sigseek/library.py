"""A library of photos: the one object to hold for whoever uses sigseek from Python.

What only some calls need is imported by them: numpy and what decodes, embeds and searches photos.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeAlias

from sigseek.indexer import Indexer, IndexReport, Progress, check_folder
from sigseek.operations.backup import back_up
from sigseek.operations.directory import LibraryDirectory
from sigseek.operations.model import ModelInUse, existing_photo
from sigseek.operations.paths import expand
from sigseek.operations.status import Status, library_status
from sigseek.operations.tags import TagCount, count_tags, drop_tag, tag_photos
from sigseek.operations.upkeep import (
    Forgotten,
    ForgottenCheckpoint,
    Relocated,
    find_checkpoint,
    find_folder,
    forget_checkpoint,
    forget_folder,
    prune,
    relocate,
)
from sigseek.search.errors import CalibrationError, QueryError
from sigseek.search.labels import DEFAULT_TEMPLATE, Label, distinct_labels, label_texts
from sigseek.siglip import Checkpoint
from sigseek.siglip.checkpoint import shipped_calibration
from sigseek.siglip.towers import check_choices
from sigseek.siglip.yardstick.texts import VERSION
from sigseek.storage import Catalog, CheckpointRecord, FailureRecord, LibraryError, writer_lock

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sigseek.evaluation.captions import CaptionedPictures
    from sigseek.operations.verify import VerifyReport
    from sigseek.operations.watch import WatchEvent
    from sigseek.search.calibration import Calibration
    from sigseek.search.classify import Classification
    from sigseek.search.results import SearchResults, SimilarHit
    from sigseek.search.searcher import Searcher
    from sigseek.search.verdicts import JudgedBy
    from sigseek.siglip.yardstick.embeddings import Yardstick

    Floats: TypeAlias = npt.NDArray[np.float32]

StrPath = str | os.PathLike[str]


def open_library(
    directory: StrPath,
    model: str | None = None,
    device: str = "auto",
    precision: str = "auto",
    announce: Callable[[str], None] = lambda line: None,
) -> Library:
    """The library kept in `directory`, which need not exist: the first `index` makes it.

    `model` is `mini`, a hub id (`ID@REVISION` for one revision) or a local checkpoint directory;
    without it the library's own, and google/siglip-base-patch16-224 for a new one. `device` is
    "auto", "cpu", "cuda" or "mps". `precision` is "auto", "fp32", "bf16" or "int8"; "auto" goes on
    as the library began, and begins with the fastest that is not visibly less exact. `announce` is
    told of what takes long, in a line. Raises CheckpointError for another device or precision.
    """
    check_choices(device, precision)
    return Library(Path(directory), model, device, precision, announce)


class Library:
    """Photos by their content. Use `sigseek.open`; a context manager, or `close` when done.

    What goes wrong raises one of `sigseek.SigseekError`. Nothing is printed, but for the hub client's
    bars while it downloads.
    """

    def __init__(
        self,
        directory: Path,
        model: str | None,
        device: str,
        precision: str,
        announce: Callable[[str], None],
    ) -> None:
        self._place = LibraryDirectory(directory)
        self.directory = self._place.directory
        self._embedder = ModelInUse(self._place, model, device, precision, announce)
        self._last_searcher: Searcher | None = None
        self._last_state: (
            tuple[CheckpointRecord, tuple[int, int, int] | None, Calibration | None] | None
        ) = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the catalog's file."""
        self._place.close()
        self._last_searcher = None

    def index(
        self,
        *folders: StrPath,
        accept_missing: bool = False,
        max_megapixels: int | None = None,
        on_progress: Callable[[Progress], None] = lambda progress: None,
        on_measuring: Callable[[int, int], None] = lambda done, total: None,
    ) -> IndexReport:
        """Add folders and bring the library up to date with them; without folders, with all it
        knows.

        Interrupted at any point, all but the batch in flight is kept and the next call goes on from
        there. FolderError, with folders and files known as before, when more than half of a
        folder's files are gone, unless `accept_missing`, or one that is offline would become part
        of a new one. Pictures of more than `max_megapixels` are failures until a run takes them;
        None is what half of the memory is enough for. `on_measuring` is told how many of the texts
        that hits are judged by are embedded, which is done once per checkpoint.
        """
        if not folders and not self._place.exists():
            raise LibraryError(f"no library at {self.directory} yet; name the folders to index")
        if not folders and not self._place.catalog().folders():
            raise LibraryError(
                f"the library {self.directory} knows no folders; name those to index"
            )
        roots = [check_folder(expand(folder)) for folder in folders]
        checkpoint = (
            self._embedder.checkpoint
        )  # a wrong folder or model is found out before a library is made
        with self._place.changing(create=True) as catalog:
            record = self._embedder.record_to_index()
            self._embedder.sample_folders = roots
            max_pixels = None if max_megapixels is None else max_megapixels * 1_000_000
            indexer = Indexer(
                catalog,
                record,
                checkpoint.preprocessing,
                self._embedder.images,
                on_progress,
                max_pixels,
            )
            report = indexer.run(roots, accept_missing=accept_missing)
            current = catalog.find_checkpoint(record.fingerprint, record.preprocessing) or record
            self._measure(catalog, current, on_measuring)
            self._catch_up(catalog, current)
        return report

    def watch(
        self,
        *folders: StrPath,
        debounce: float = 2.0,
        rescan: float = 600.0,
        stop: Event | None = None,
        on_progress: Callable[[Progress], None] = lambda progress: None,
    ) -> Iterator[WatchEvent]:
        """Index as `index` does, and again whatever changes, until `stop` is set; each run, and
        each problem, as it comes.

        A change is indexed once it was quiet for `debounce` seconds, and everything is looked
        through every `rescan` seconds, for drives that do not tell of changes. Problems of a run do
        not end it: it is tried again.
        """
        from sigseek.operations.watch import StopRequested, Watch, folders_to_watch

        known = (
            [Path(folder.path) for folder in self._place.catalog().folders()]
            if self._place.exists()
            else []
        )
        if not folders and not known:
            raise LibraryError(
                f"the library {self.directory} knows no folders; name those to watch"
            )
        named = folders_to_watch(folders, known)
        _ = (
            self._embedder.checkpoint
        )  # a wrong folder or model is found out before a library is made
        ended = stop or Event()

        def go_on(progress: Progress) -> None:
            if ended.is_set():
                raise StopRequested
            on_progress(progress)

        catalog = self._place.catalog(create=True)
        return Watch(
            catalog,
            self.directory,
            lambda place: self.index(place, on_progress=go_on),
            named,
            debounce=debounce,
            rescan=rescan,
            stop=ended,
        ).rounds()

    def search(
        self,
        query: str,
        limit: int = 10,
        *,
        min_probability: float = 0.0,
        include_all: bool = False,
        explain: bool = False,
        closer: int = 0,
    ) -> SearchResults:
        """The photos that match the query best, best first; docs/queries.md tells what a query may
        say.

        Only those judged to match and whose probability reaches `min_probability`; with `include_all` the
        others too, maybes first. With `explain` hits tell the probability of each term. The best
        `closer` photos are looked at again, part by part. Warns when a text is longer than the
        model reads.
        """
        from sigseek.search.parse import parse
        from sigseek.search.query import Text, terms
        from sigseek.search.searcher import CloserLook, check_search  # faiss comes with it

        asked = parse(query)
        look = CloserLook(closer, self._embedder.embed_views) if closer else None
        check_search(asked, limit, min_probability, look)
        # what is missing or wrong is found out here, in this thread
        self._embedder.record_to_query()
        with ThreadPoolExecutor(1) as aside:  # the tower and the index load side by side
            embeddings = aside.submit(self._embedder.embed_terms, terms(asked))
            searcher = self._searcher()
            vectors = embeddings.result()
        for term in terms(asked):
            if isinstance(term, Text):
                self._embedder.warn_if_cut("the query", term.text)
        return searcher.search(
            asked,
            vectors,
            limit,
            min_probability=min_probability,
            include_all=include_all,
            explain=explain,
            closer=look,
        )

    def similar(self, photo: StrPath, limit: int = 10) -> list[SimilarHit]:
        """The photos most like the one in the file `photo`, which is itself left out; it need not
        be in the library.
        """
        from sigseek.search.searcher import check_limit

        path = existing_photo(Path(photo))
        check_limit(limit)
        searcher = self._searcher()
        vector, known = self._embedder.photo_vector(path)
        return searcher.by_photo(vector, limit, leave_out=known)

    def classify(
        self,
        photos: Sequence[StrPath],
        labels: Sequence[str | Label],
        template: str = DEFAULT_TEMPLATE,
        on_problem: Callable[[Exception], None] | None = None,
    ) -> list[Classification]:
        """The probability of each label for each photo file. Needs no library. A string is a
        label's name.

        With `on_problem`, it is told of files that cannot be used, and these are left out; else the
        first such ends it with DecodeError or QueryError.
        """
        if isinstance(photos, str):
            raise QueryError("one photo where several are taken; put it into a list")
        if not photos:
            raise QueryError("no photo to classify; name at least one")
        from sigseek.search.classify import Classification, classify

        wanted = distinct_labels(labels)
        texts = label_texts(wanted, template)
        if on_problem is None:
            paths = [existing_photo(Path(photo)) for photo in photos]
            images = self._embedder.embed_photos(paths)
        else:
            paths, images = self._embedder.embed_usable_photos(
                [Path(photo) for photo in photos], on_problem
            )
        if not paths:
            return []
        scores = classify(
            images, wanted, texts, self._embedder.texts(), self._embedder.checkpoint.scoring
        )
        return [
            Classification(str(path), ranked) for path, ranked in zip(paths, scores, strict=True)
        ]

    def calibrate(
        self,
        source: StrPath,
        *,
        split: str = "test",
        pictures: StrPath | None = None,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> tuple[Calibration, CaptionedPictures]:
        """Fit the checkpoint's probabilities to captioned pictures, keep the constants in the
        library, and return them.

        `source`, `split` and `pictures` are what `read_captions` takes. Also returned are the
        pictures that were used, with what was wrong with others among their problems. CaptionsError
        and CalibrationError when the captions do not do.
        """
        import numpy as np

        from sigseek.evaluation.captions import read_captions
        from sigseek.search.fitting import fit_calibration  # scikit-learn comes with it

        captioned = read_captions(
            Path(source), split=split, pictures=Path(pictures) if pictures is not None else None
        )
        record = self._embedder.record_to_query()
        paths = [picture.path for picture in captioned.pictures]
        embeddings, unusable = self.embed_photos(paths, lambda done: on_progress(done, len(paths)))
        captioned = captioned.usable(unusable)
        images = np.stack([embeddings[picture.path] for picture in captioned.pictures])
        calibration = fit_calibration(
            self.embed_texts(captioned.queries),
            images,
            captioned.matching(),
            self.yardstick(),
            self._embedder.checkpoint.scoring,
        )
        with writer_lock(self.directory), self._place.catalog().transaction() as transaction:
            transaction.put_calibration(record.id, calibration.as_json())
        return calibration, captioned

    def tag(
        self,
        labels: Sequence[str | Label],
        template: str = DEFAULT_TEMPLATE,
        on_done: Callable[[int], None] = lambda done: None,
    ) -> tuple[TagCount, ...]:
        """Keep each label, a string being its name, with the photos that match it, for `tag:NAME`
        in queries.

        The photos of an earlier run are replaced. Interrupted, the labels that are done are kept;
        `on_done` is told how many.
        """
        wanted = distinct_labels(labels)
        texts = label_texts(wanted, template)
        self._embedder.record_to_query()
        vectors = self.embed_texts(texts)
        for label, text in zip(wanted, texts, strict=True):
            self._embedder.warn_if_cut(f"the label '{label.name}'", text)
        with writer_lock(self.directory):
            return tag_photos(self._place.catalog(), self._searcher(), wanted, vectors, on_done)

    def tags(self) -> tuple[TagCount, ...]:
        """All tags that photos bear, in alphabetical order."""
        return count_tags(self._place.catalog())

    def remove_tag(self, name: str) -> TagCount:
        """Take the tag from all photos, and say from how many. QueryError, which names those there
        are, for another.
        """
        catalog = self._place.catalog()
        with writer_lock(self.directory):
            return drop_tag(catalog, name)

    @property
    def judged_by(self) -> JudgedBy:
        """What verdicts and tags rest on."""
        return self._searcher().judged_by

    def embed_photos(
        self, photos: Sequence[StrPath], on_done: Callable[[int], None] = lambda done: None
    ) -> tuple[dict[Path, Floats], dict[Path, str]]:
        """The unit-norm embedding float32 (dim,) of each photo file that can be used, and why the
        others cannot. Keeps nothing.
        """
        from sigseek.indexer.embed_files import embed_files

        return embed_files(
            [Path(photo) for photo in photos],
            self._embedder.checkpoint.preprocessing,
            self._embedder.images(),
            on_done,
        )

    def embed_texts(
        self, texts: Sequence[str], on_done: Callable[[int], None] = lambda done: None
    ) -> Floats:
        """Unit-norm embeddings float32 (n, dim) of texts, at least one."""
        return self._embedder.embed_texts(texts, on_done)

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint asked for, or the one that embedded most of the library, or the
        default.
        """
        return self._embedder.checkpoint

    def calibration(self) -> Calibration | None:
        """The library's own calibration of the checkpoint, or the one that came with it. Needs no
        library.
        """
        from sigseek.search.calibration import Calibration

        record = self._embedder.record()
        own = self._place.catalog().calibration(record.id) if record else None
        fitted = own or shipped_calibration(self._embedder.checkpoint)
        try:
            return Calibration.from_json(fitted) if fitted else None
        except CalibrationError as error:
            raise CalibrationError(
                f"{self.directory if own else self._embedder.checkpoint.directory}: {error}"
            ) from error

    def yardstick(
        self, on_done: Callable[[int, int], None] = lambda done, total: None
    ) -> Yardstick:
        """What the checkpoint makes of texts and pictures that are the same for everybody. Needs no
        library.

        Where the user's cache has them not yet they are embedded, about a minute for a base
        checkpoint; `on_done` is told how many texts of how many are.
        """
        return self._embedder.yardstick(on_done)

    def known_files(self, folder: StrPath) -> int:
        """How many files the library knows in a folder, or a directory in one, that need not be
        there. FolderError for another.
        """
        catalog = self._place.catalog()
        known, inside = find_folder(catalog, Path(folder))
        return len(catalog.paths(known.id, inside))

    def relocate(self, old: StrPath, new: StrPath, *, accept_missing: bool = False) -> Relocated:
        """Have what is known of the directory `old` lie in `new`, where it was moved; nothing is
        embedded again.

        FolderError, with nothing changed, for directories that do not do, or when less than half of
        the files are in `new`, unless `accept_missing`.
        """
        with self._place.changing() as catalog:
            return relocate(catalog, Path(old), Path(new), accept_missing=accept_missing)

    def forget(self, folder: StrPath) -> Forgotten:
        """Have a folder in the library no more, with the photos that lie nowhere else. The files
        themselves are not touched.

        Also for a directory in a folder, once it is empty or not there any more. FolderError for
        others.
        """
        with self._place.changing() as catalog:
            forgotten = forget_folder(catalog, Path(folder))
            self._tidy(catalog)
        return forgotten

    def known_checkpoint(self, name: str) -> CheckpointRecord:
        """The library's checkpoint of this name, or whose fingerprint begins so. LibraryError for
        none or several.
        """
        return find_checkpoint(self._place.catalog(), name)

    def forget_checkpoint(self, name: str) -> ForgottenCheckpoint:
        """Have a checkpoint, by name or fingerprint, and its embeddings in the library no more."""
        with self._place.changing() as catalog:
            forgotten = forget_checkpoint(catalog, name, self._place.index_directory)
            self._tidy(catalog)
        return forgotten

    def prune(self, older_than: timedelta = timedelta(days=30)) -> Forgotten:
        """Forget files that have been missing for that long, and photos that had no others.

        Those of folders that are offline stay, and those below an empty directory, which an
        unplugged drive leaves.
        """
        with self._place.changing() as catalog:
            pruned = prune(catalog, older_than)
            self._tidy(catalog)
        return pruned

    def verify(
        self,
        *,
        repair: bool = False,
        contents: bool = False,
        on_embeddings: Callable[[int, int], None] = lambda done, total: None,
        on_files: Callable[[int, int], None] = lambda done, total: None,
    ) -> VerifyReport:
        """Check the catalog by itself, the index against it, and it against the files; with
        `contents` every byte of these.

        With `repair`, what can be made anew is mended. The callbacks are told how many are done of
        how many.
        """
        from sigseek.operations.verify import verify  # faiss comes with it

        catalog = self._place.catalog()
        with writer_lock(self.directory) if repair else nullcontext():
            return verify(
                catalog,
                self._place.index_directory,
                repair=repair,
                contents=contents,
                on_embeddings=on_embeddings,
                on_files=on_files,
            )

    def back_up(self, file: StrPath) -> Path:
        """Copy the catalog, which is all that cannot be made anew, to a new file, also while others
        use it; its path.
        """
        return back_up(self._place.catalog(), Path(file))

    def status(self) -> Status:
        """Folders, counts, checkpoints and sizes."""
        return library_status(self._place.catalog(), self.directory, self._place.index_directory)

    def failures(self) -> list[FailureRecord]:
        """Files and directories that could not be used and why, by absolute path."""
        return self._place.catalog().failures()

    def _searcher(self) -> Searcher:
        """The searcher of the library as it is now; the last one as long as nothing changed, here
        or by another process.
        """
        catalog = self._place.catalog()
        record = self._embedder.record_to_query()
        calibration = self.calibration()
        state = (record, catalog.measured(record.id), calibration)
        if self._last_searcher is None or self._last_state != state:
            from sigseek.search.searcher import Searcher  # faiss comes with it

            self._last_searcher = Searcher(
                catalog, record, self._place.index_directory, calibration
            )
            self._last_state = state
        return self._last_searcher

    def _tidy(self, catalog: Catalog) -> None:
        """After much was removed: indexes without it, and its space given back."""
        from sigseek.storage.index import faiss_file  # faiss comes with it
        from sigseek.storage.index.faiss import VectorIndex

        for record in catalog.checkpoints():
            if record.embeddings:
                VectorIndex.open(catalog, record, self._place.index_directory)
            else:
                faiss_file.remove(self._place.index_directory, record.token)
        with contextlib.suppress(LibraryError):  # no space for it; what was asked for is done
            catalog.compact()

    def _measure(
        self, catalog: Catalog, record: CheckpointRecord, on_done: Callable[[int, int], None]
    ) -> None:
        """Have what was embedded measured by what hits are judged by."""
        if record.embeddings and catalog.measured(record.id) != (
            VERSION,
            record.generation,
            record.embeddings,
        ):
            from sigseek.indexer.measure import measure_biases

            measure_biases(catalog, record, self.yardstick(on_done))

    def _catch_up(self, catalog: Catalog, record: CheckpointRecord) -> None:
        """Make the vector index ready for the next search, unless its file is of the catalog's very
        generation.
        """
        if not (
            self._place.index_directory / f"{record.token}-{record.generation}.faiss"
        ).is_file():
            from sigseek.storage.index.faiss import VectorIndex  # faiss comes with it

            VectorIndex.open(catalog, record, self._place.index_directory)
