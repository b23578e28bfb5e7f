"""A library of photos: the one object to hold for whoever uses sigseek from Python.

What only some calls need is imported by them: numpy and what decodes, embeds and searches photos.
"""

from __future__ import annotations

import contextlib
import os
import string
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeAlias, TypeVar

from indexer import DecodeError, Indexer, IndexReport, Progress, check_folder
from search.errors import CalibrationError, QueryError
from search.labels import DEFAULT_TEMPLATE, Label, distinct_labels, label_texts
from siglip import Checkpoint, ImageTower, TextTower, load_checkpoint
from siglip.checkpoint import DEFAULT, shipped_calibration
from siglip.reference_texts import VERSION
from siglip.towers import check_choices
from sigseek.backup import back_up
from sigseek.status import Status, default_checkpoint, library_status
from sigseek.tags import TagCount, count_tags, drop_tag, tag_photos
from sigseek.upkeep import (
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
from storage import Catalog, CheckpointRecord, FailureRecord, LibraryError, writer_lock
from storage.catalog import FILE_NAME

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from search.calibration import Calibration
    from search.classify import Classification
    from search.engine import Searcher
    from search.query import Leaf
    from search.results import SearchResults, SimilarHit
    from search.verdicts import JudgedBy
    from siglip.references import References
    from sigseek.evaluation.captions import CaptionedPictures
    from sigseek.verification import VerifyReport
    from sigseek.watch import Round

    Floats: TypeAlias = npt.NDArray[np.float32]

_T = TypeVar("_T")
_TEXT_BATCH = 64
_PUNCTUATION = string.punctuation + string.whitespace
StrPath = str | os.PathLike[str]


def open_library(
    directory: StrPath,
    model: str | None = None,
    device: str = "auto",
    precision: str = "auto",
    announce: Callable[[str], None] = lambda line: None,
) -> Library:
    """The library kept in `directory`, which need not exist: the first `index` makes it.

    `model` is `mini`, a hub id (`ID@REVISION` for one revision) or a local checkpoint directory; without it the
    library's own, and google/siglip-base-patch16-224 for a new one. `device` is "auto", "cpu", "cuda" or "mps".
    `precision` is "auto", "fp32", "bf16" or "int8"; "auto" goes on as the library began, and begins with the fastest that
    is not visibly less exact. `announce` is told of what takes long, in a line. Raises CheckpointError for another device
    or precision.
    """
    check_choices(device, precision)
    return Library(Path(directory), model, device, precision, announce)


class Library:
    """Photos by their content. Use `sigseek.open`; a context manager, or `close` when done.

    What goes wrong raises one of `sigseek.ERRORS`. Nothing is printed, but for the hub client's bars while it downloads.
    """

    def __init__(self, directory: Path, model: str | None, device: str, precision: str, announce: Callable[[str], None]) -> None:
        self.directory = directory.expanduser().absolute()
        self._model = model or None
        self._device = device
        self._precision = precision
        self._announce = announce
        self._catalog: Catalog | None = None
        self._checkpoint: Checkpoint | None = None
        self._image_tower: ImageTower | None = None
        self._text_tower: TextTower | None = None
        self._last_searcher: Searcher | None = None
        self._last_state: tuple[CheckpointRecord, tuple[int, int, int] | None, Calibration | None] | None = None
        self._roots: list[Path] = []
        self._told_of_coverage = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the catalog's file."""
        if self._catalog:
            self._catalog.close()
            self._catalog = None
            self._last_searcher = None

    def index(
        self,
        *folders: StrPath,
        accept_missing: bool = False,
        max_megapixels: int | None = None,
        on_progress: Callable[[Progress], None] = lambda progress: None,
        on_measuring: Callable[[int, int], None] = lambda done, total: None,
    ) -> IndexReport:
        """Add folders and bring the library up to date with them; without folders, with all it knows.

        Interrupted at any point, all but the batch in flight is kept and the next call goes on from there. FolderError, with
        nothing changed, when more than half of a folder's files are gone, unless `accept_missing`. Pictures of more than
        `max_megapixels` are failures until a run takes them; None is what half of the memory is enough for. `on_measuring`
        is told how many of the texts that hits are judged by are embedded, which is done once per checkpoint.
        """
        if not folders and not self._exists():
            raise LibraryError(f"no library at {self.directory} yet; name the folders to index")
        if not folders and not self._open_catalog().folders():
            raise LibraryError(f"the library {self.directory} knows no folders; name those to index")
        roots = [check_folder(Path(folder)) for folder in folders]
        self._described()  # a wrong folder or model is found out before a library is made
        catalog = self._open_catalog(create=True)
        with writer_lock(self.directory):
            for leftover in self._index_directory.glob("*.part"):  # of a writer that was killed
                leftover.unlink(missing_ok=True)
            checkpoint, record = self._checkpoint_to_index(catalog)
            self._check_precision(catalog.precision(record.id))
            self._roots = roots
            max_pixels = None if max_megapixels is None else max_megapixels * 1_000_000
            indexer = Indexer(catalog, record, checkpoint.preprocessing, self._images, on_progress, max_pixels)
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
    ) -> Iterator[Round]:
        """Index as `index` does, and again whatever changes, until `stop` is set; each run, and each problem, as it comes.

        A change is indexed once it was quiet for `debounce` seconds, and everything is looked through every `rescan` seconds,
        for drives that do not tell of changes. Problems of a run do not end it: it is tried again.
        """
        from sigseek.watch import Stopped, Watch, folders_to_watch

        known = [Path(folder.path) for folder in self._open_catalog().folders()] if self._exists() else []
        if not folders and not known:
            raise LibraryError(f"the library {self.directory} knows no folders; name those to watch")
        named = folders_to_watch(folders, known)
        self._described()  # a wrong folder or model is found out before a library is made
        ended = stop or Event()

        def go_on(progress: Progress) -> None:
            if ended.is_set():
                raise Stopped
            on_progress(progress)

        catalog = self._open_catalog(create=True)
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
        min_score: float = 0.0,
        everything: bool = False,
        explain: bool = False,
        closer: int = 0,
    ) -> SearchResults:
        """The photos that match the query best, best first; docs/queries.md tells what a query may say.

        Only those judged to match and whose probability reaches `min_score`; with `everything` the others too, maybes first. With
        `explain` hits tell the probability of each term. The best `closer` photos are looked at again, part by part. Warns
        when a text is longer than the model reads.
        """
        from search.engine import CloserLook  # faiss comes with it
        from search.parse import parse
        from search.query import Text, terms

        asked = parse(query)
        self._checkpoint_to_query()  # what is missing or wrong is found out here, in this thread
        with ThreadPoolExecutor(1) as aside:  # the tower and the index load side by side
            embeddings = aside.submit(self._embed_terms, terms(asked))
            searcher = self._searcher()
            vectors = embeddings.result()
        for term in terms(asked):
            if isinstance(term, Text):
                self._warn_if_cut("the query", term.text)
        look = CloserLook(closer, self._embed_views) if closer else None
        return searcher.search(asked, vectors, limit, min_score=min_score, everything=everything, explain=explain, closer=look)

    def similar(self, photo: StrPath, limit: int = 10) -> list[SimilarHit]:
        """The photos most like the one in the file `photo`, which is itself left out; it need not be in the library."""
        path = _existing_photo(photo)
        searcher = self._searcher()
        vector, known = self._photo_vector(path)
        return searcher.by_photo(vector, limit, leave_out=known)

    def classify(
        self, photos: Sequence[StrPath], labels: Sequence[str | Label], template: str = DEFAULT_TEMPLATE
    ) -> list[Classification]:
        """The probability of each label for each photo file. Needs no library. A string is a label's name."""
        if not photos:
            raise QueryError("no photo to classify; name at least one")
        from search.classify import Classification, classify

        wanted = distinct_labels(labels)
        paths = [_existing_photo(photo) for photo in photos]
        images = self._embed_photos(paths)
        scores = classify(images, wanted, template, self._texts(), self._described().scoring)
        return [Classification(str(path), ranked) for path, ranked in zip(paths, scores, strict=True)]

    def calibrate(
        self,
        source: StrPath,
        *,
        split: str = "test",
        pictures: StrPath | None = None,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> tuple[Calibration, CaptionedPictures]:
        """Fit the checkpoint's probabilities to captioned pictures, keep the constants in the library, and return them.

        `source`, `split` and `pictures` are what `read_captions` takes. Also returned are the pictures that were used, with
        what was wrong with others among their problems. CaptionsError and CalibrationError when the captions do not do.
        """
        import numpy as np

        from search.fitting import fit_calibration  # scikit-learn comes with it
        from sigseek.evaluation.captions import read_captions

        captioned = read_captions(Path(source), split=split, pictures=Path(pictures) if pictures is not None else None)
        _, record = self._checkpoint_to_query()
        paths = [picture.path for picture in captioned.pictures]
        embeddings, unusable = self.embed_photos(paths, lambda done: on_progress(done, len(paths)))
        captioned = captioned.usable(unusable)
        images = np.stack([embeddings[picture.path] for picture in captioned.pictures])
        calibration = fit_calibration(
            self.embed_texts(captioned.queries), images, captioned.matching(), self.references(), self._described().scoring
        )
        with writer_lock(self.directory), self._open_catalog().transaction() as transaction:
            transaction.put_calibration(record.id, calibration.as_json())
        return calibration, captioned

    def tag(
        self, labels: Sequence[str | Label], template: str = DEFAULT_TEMPLATE, on_done: Callable[[int], None] = lambda done: None
    ) -> tuple[TagCount, ...]:
        """Keep each label, a string being its name, with the photos that match it, for `tag:NAME` in queries.

        The photos of an earlier run are replaced. Interrupted, the labels that are done are kept; `on_done` is told how many.
        """
        wanted = distinct_labels(labels)
        texts = label_texts(wanted, template)
        self._checkpoint_to_query()
        vectors = self.embed_texts(texts)
        for label, text in zip(wanted, texts, strict=True):
            self._warn_if_cut(f"the label '{label.name}'", text)
        with writer_lock(self.directory):
            return tag_photos(self._open_catalog(), self._searcher(), wanted, vectors, on_done)

    def tags(self) -> tuple[TagCount, ...]:
        """All tags that photos bear, in alphabetical order."""
        return count_tags(self._open_catalog())

    def remove_tag(self, name: str) -> TagCount:
        """Take the tag from all photos, and say from how many. QueryError, which names those there are, for another."""
        catalog = self._open_catalog()
        with writer_lock(self.directory):
            return drop_tag(catalog, name)

    @property
    def judged_by(self) -> JudgedBy:
        """What verdicts and tags rest on."""
        return self._searcher().judged_by

    def embed_photos(
        self, photos: Sequence[StrPath], on_done: Callable[[int], None] = lambda done: None
    ) -> tuple[dict[Path, Floats], dict[Path, str]]:
        """The unit-norm embedding float32 (dim,) of each photo file that can be used, and why the others cannot. Keeps nothing."""
        from indexer.files import embed_files

        return embed_files([Path(photo) for photo in photos], self._described().preprocessing, self._images(), on_done)

    def embed_texts(self, texts: Sequence[str], on_done: Callable[[int], None] = lambda done: None) -> Floats:
        """Unit-norm embeddings float32 (n, dim) of texts, at least one."""
        import numpy as np

        embeddings = []
        for start in range(0, len(texts), _TEXT_BATCH):
            batch = texts[start : start + _TEXT_BATCH]
            embeddings.append(self._texts().embed(batch))
            on_done(start + len(batch))
        return np.concatenate(embeddings)

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint asked for, or the one that embedded most of the library, or the default."""
        return self._described()

    def calibration(self) -> Calibration | None:
        """The library's own calibration of the checkpoint, or the one that came with it. Needs no library."""
        from search.calibration import Calibration

        record = self._record()
        own = self._open_catalog().calibration(record.id) if record else None
        fitted = own or shipped_calibration(self._described())
        try:
            return Calibration.from_json(fitted) if fitted else None
        except CalibrationError as error:
            raise CalibrationError(f"{self.directory if own else self._described().directory}: {error}") from error

    def references(self, on_done: Callable[[int, int], None] = lambda done, total: None) -> References:
        """What the checkpoint makes of texts and pictures that are the same for everybody. Needs no library.

        Where the user's cache has them not yet they are embedded, about a minute for a base checkpoint; `on_done` is told
        how many texts of how many are.
        """
        from siglip.references import load_references

        return load_references(self._described(), self._images(), self._texts, self._announce, on_done)

    def known_files(self, folder: StrPath) -> int:
        """How many files the library knows in a folder, or a directory in one, that need not be there. FolderError for another."""
        catalog = self._open_catalog()
        known, inside = find_folder(catalog, Path(folder))
        return len(catalog.paths(known.id, inside))

    def relocate(self, old: StrPath, new: StrPath, *, accept_missing: bool = False) -> Relocated:
        """Have what is known of the directory `old` lie in `new`, where it was moved; nothing is embedded again.

        FolderError, with nothing changed, for directories that do not do, or when less than half of the files are in
        `new`, unless `accept_missing`.
        """
        catalog = self._open_catalog()
        with writer_lock(self.directory):
            return relocate(catalog, Path(old), Path(new), accept_missing=accept_missing)

    def forget(self, folder: StrPath) -> Forgotten:
        """Have a folder in the library no more, with the photos that lie nowhere else. The files themselves are not touched.

        Also for a directory in a folder, once it is not there any more. FolderError for others.
        """
        catalog = self._open_catalog()
        with writer_lock(self.directory):
            forgotten = forget_folder(catalog, Path(folder))
            self._tidy(catalog)
        return forgotten

    def known_checkpoint(self, name: str) -> CheckpointRecord:
        """The library's checkpoint of this name, or whose fingerprint begins so. LibraryError for none or several."""
        return find_checkpoint(self._open_catalog(), name)

    def forget_checkpoint(self, name: str) -> ForgottenCheckpoint:
        """Have a checkpoint, by name or fingerprint, and its embeddings in the library no more."""
        catalog = self._open_catalog()
        with writer_lock(self.directory):
            forgotten = forget_checkpoint(catalog, name, self._index_directory)
            self._tidy(catalog)
        return forgotten

    def prune(self, older_than: timedelta) -> Forgotten:
        """Forget files that have been missing for that long, and photos that had no others.

        Those of folders that are offline stay.
        """
        catalog = self._open_catalog()
        with writer_lock(self.directory):
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
        """Check the catalog by itself, the index against it, and it against the files; with `contents` every byte of these.

        With `repair`, what can be made anew is mended. The callbacks are told how many are done of how many.
        """
        from sigseek.verification import verify  # faiss comes with it

        catalog = self._open_catalog()
        with writer_lock(self.directory) if repair else nullcontext():
            return verify(
                catalog, self._index_directory, repair=repair, contents=contents, on_embeddings=on_embeddings, on_files=on_files
            )

    def back_up(self, file: StrPath) -> Path:
        """Copy the catalog, which is all that cannot be made anew, to a new file, also while others use it; its path."""
        return back_up(self._open_catalog(), Path(file))

    def status(self) -> Status:
        """Folders, counts, checkpoints and sizes."""
        return library_status(self._open_catalog(), self.directory, self._index_directory)

    def failures(self) -> list[FailureRecord]:
        """Files and directories that could not be used and why, by absolute path."""
        return self._open_catalog().failures()

    def _warn_if_cut(self, what: str, text: str) -> None:
        """Warn the caller of the method that calls this when the model reads only the beginning of the text."""
        if self._texts().cuts(text):
            warnings.warn(
                f"{what} has {len(text.split()):,} words and the model reads {self._described().text_length} tokens; "
                "only its beginning was searched for",
                stacklevel=3,
            )

    @property
    def _index_directory(self) -> Path:
        return self.directory / "index"

    def _exists(self) -> bool:
        """Whether there is a library. LibraryError for what a power cut may have left of one."""
        catalog = self.directory / FILE_NAME
        if catalog.is_file() and not catalog.stat().st_size:  # as SQLite makes it before it writes
            if any(self._index_directory.glob("*.faiss")):
                raise LibraryError(f"{catalog} is empty; put a backup in its place, or remove {self.directory} and index again")
            return False
        return catalog.is_file()

    def _open_catalog(self, *, create: bool = False) -> Catalog:
        if self._catalog is None:
            if not create and not self._exists():
                raise LibraryError(f"no library at {self.directory}; make one with: sigseek index FOLDER")
            self._catalog = Catalog(self.directory)
        return self._catalog

    def _searcher(self) -> Searcher:
        """The searcher of the library as it is now; the last one as long as nothing changed, here or by another process."""
        catalog = self._open_catalog()
        _, record = self._checkpoint_to_query()
        calibration = self.calibration()
        state = (record, catalog.measured(record.id), calibration)
        if self._last_searcher is None or self._last_state != state:
            from search.engine import Searcher  # faiss comes with it

            self._last_searcher = Searcher(catalog, record, self._index_directory, calibration)
            self._last_state = state
        return self._last_searcher

    def _tidy(self, catalog: Catalog) -> None:
        """After much was removed: indexes without it, and its space given back."""
        from storage import index_file  # faiss comes with it
        from storage.vector_index import VectorIndex

        for record in catalog.checkpoints():
            if record.embeddings:
                VectorIndex.open(catalog, record, self._index_directory)
            else:
                index_file.remove(self._index_directory, record.token)
        with contextlib.suppress(LibraryError):  # no space for it; what was asked for is done
            catalog.compact()

    def _measure(self, catalog: Catalog, record: CheckpointRecord, on_done: Callable[[int, int], None]) -> None:
        """Have what was embedded measured by what hits are judged by."""
        if record.embeddings and catalog.measured(record.id) != (VERSION, record.generation, record.embeddings):
            from indexer.bias import measure_biases

            measure_biases(catalog, record, self.references(on_done))

    def _catch_up(self, catalog: Catalog, record: CheckpointRecord) -> None:
        """Make the vector index ready for the next search, unless its file is of the catalog's very generation."""
        if not (self._index_directory / f"{record.token}-{record.generation}.faiss").is_file():
            from storage.vector_index import VectorIndex  # faiss comes with it

            VectorIndex.open(catalog, record, self._index_directory)

    def _checkpoint_to_index(self, catalog: Catalog) -> tuple[Checkpoint, CheckpointRecord]:
        """The checkpoint to embed with and its row, added for one that is new to the library."""
        checkpoint = self._described()
        fingerprint = checkpoint.preprocessing.fingerprint
        record = catalog.find_checkpoint(checkpoint.fingerprint, fingerprint)
        if record is None:
            with catalog.transaction() as transaction:
                record = transaction.add_checkpoint(
                    name=checkpoint.name,
                    fingerprint=checkpoint.fingerprint,
                    preprocessing=fingerprint,
                    dimension=checkpoint.dimension,
                    image_size=checkpoint.preprocessing.height,
                    logit_scale=checkpoint.scoring.logit_scale,
                    logit_bias=checkpoint.scoring.logit_bias,
                )
        return checkpoint, record

    def _checkpoint_to_query(self) -> tuple[Checkpoint, CheckpointRecord]:
        """The checkpoint to query with and its row as it is now; LibraryError where the library has nothing of it."""
        catalog = self._open_catalog()
        records = self._checkpoints_in_use()
        if not records:
            if catalog.photo_count():
                raise LibraryError(f"the library {self.directory} has photos, but no embeddings; make them with: sigseek index")
            raise LibraryError(f"the library {self.directory} holds no photos yet; add some with: sigseek index FOLDER")
        checkpoint = self._described()
        record = catalog.find_checkpoint(checkpoint.fingerprint, checkpoint.preprocessing.fingerprint)
        if record is None or not record.embeddings:
            names = " and ".join(known.name for known in records)
            raise LibraryError(
                f"the library {self.directory} was made with {names}, not with {checkpoint.name} as it is now; "
                f"search with --model {records[0].name}, or add the other with: sigseek index --model {checkpoint.name}"
            )
        most = max(known.embeddings for known in records)
        if record.embeddings < most and not self._told_of_coverage:
            self._told_of_coverage = True
            warnings.warn(
                f"{checkpoint.name} has embedded {record.embeddings:,} photos so far, others here {most:,}; "
                f"to go on with it: sigseek index --model {checkpoint.name}",
                stacklevel=3,
            )
        return checkpoint, record

    def _checkpoints_in_use(self) -> list[CheckpointRecord]:
        """The library's checkpoints that have embedded something, the first one first."""
        return [record for record in self._open_catalog().checkpoints() if record.embeddings]

    def _described(self) -> Checkpoint:
        """The checkpoint asked for, or the one that embedded most of the library, or the default."""
        if self._checkpoint is None:
            name = self._model
            if name is None and self._exists():
                known = default_checkpoint(self._open_catalog().checkpoints())
                name = known.name if known else None
            self._checkpoint = load_checkpoint(name or DEFAULT, self._announce)
        return self._checkpoint

    def _images(self) -> ImageTower:
        if self._image_tower is None:
            from siglip.runtime import load_image_tower  # when there is something to embed

            checkpoint, precision = self._described(), self._wanted_precision()
            self._image_tower = load_image_tower(checkpoint, self._device, precision, self._announce, self._sample)
        return self._image_tower

    def _texts(self) -> TextTower:
        if self._text_tower is None:
            from siglip.runtime import load_text_tower

            self._text_tower = load_text_tower(self._described(), self._device, self._wanted_precision(), self._announce)
        return self._text_tower

    def _wanted_precision(self) -> str:
        """What was asked for; with "auto", what the library holds, so that a query is embedded as the photos were.

        A library in bf16 may meet a processor without it: there fp32 mixes with it.
        """
        held = self._held_precision()
        return held if self._precision == "auto" and held in ("fp32", "int8") else self._precision

    def _held_precision(self) -> str | None:
        """The precision of the library's embeddings by the checkpoint; None without any."""
        record = self._record()
        return self._open_catalog().precision(record.id) if record else None

    def _record(self) -> CheckpointRecord | None:
        """The checkpoint's row; None where there is no library, or one without it."""
        if not self._exists():
            return None
        checkpoint = self._described()
        return self._open_catalog().find_checkpoint(checkpoint.fingerprint, checkpoint.preprocessing.fingerprint)

    def _check_precision(self, held: str | None) -> None:
        """LibraryError when the new embeddings would not be of one kind with those the library holds."""
        asked = self._precision
        if asked != "auto" and held and (asked == "int8") != (held == "int8"):
            raise LibraryError(
                f"the library {self.directory} holds {held} embeddings, and int8 does not mix with other precisions; "
                "leave --precision out to go on as it is, or make another library with --library"
            )

    def _sample(self) -> npt.NDArray[np.uint8]:
        """Photos that an int8 conversion learns from: of the folders being indexed and those that are known."""
        from indexer.sample import sample_photos
        from siglip.conversion import MOST_PHOTOS

        known = [Path(folder.path) for folder in self._open_catalog().folders()]
        folders = [*dict.fromkeys(path for path in (*self._roots, *known) if path.is_dir())]
        return sample_photos(folders, self._described().preprocessing, MOST_PHOTOS)

    def _embed_terms(self, asked: Sequence[Leaf]) -> dict[Leaf, Floats]:
        """The unit-norm embedding (dim,) of each text and photo term."""
        from search.query import PhotoTerm, Text

        texts = [term for term in asked if isinstance(term, Text)]
        vectors: dict[Leaf, Floats] = {}
        if any(not text.strip(_PUNCTUATION) for text in (term.text for term in texts)):
            raise QueryError("the query has no words, and the model reads no punctuation; describe what the photo shows")
        if any("\udc80" <= character <= "\udcff" for term in texts for character in term.text):
            raise QueryError("the query is not UTF-8; type it anew")
        if texts:
            vectors |= zip(texts, self._texts().embed([term.text for term in texts]), strict=True)
        for term in asked:
            if isinstance(term, PhotoTerm):
                vectors[term] = self._photo_vector(_existing_photo(term.path))[0]
        return vectors

    def _photo_vector(self, path: Path) -> tuple[Floats, int | None]:
        """The unit-norm embedding (dim,) of a photo file, and its id if the library knows it."""
        import numpy as np

        from indexer.decode import digest_file

        catalog, record = self._open_catalog(), self._checkpoint_to_query()[1]
        known = catalog.find_photo(_readable(digest_file, path).digest)
        vectors = catalog.embeddings(record.id, [known])[1] if known is not None else np.zeros(0, np.float16)
        return vectors[0].astype(np.float32) if len(vectors) else self._embed_photos([path])[0], known

    def _embed_views(self, path: Path) -> Floats | None:
        """Unit-norm embeddings (views, dim) of parts of the photo; None where the file cannot be used now."""
        from indexer.decode import decode_views

        try:
            return self._images().embed(decode_views(path, self._described().preprocessing))
        except (DecodeError, OSError):
            return None

    def _embed_photos(self, paths: Sequence[Path]) -> npt.NDArray[np.float32]:
        """Unit-norm embeddings float32 (n, dim) of photo files."""
        import numpy as np

        from indexer.decode import decode_photo

        preprocessing = self._described().preprocessing
        # In this process: one for decoding would be felt as it starts, and photos named one by one are seldom hostile.
        pixels = [_readable(lambda path: decode_photo(path, preprocessing), path).pixels for path in paths]
        tower = self._images()
        batches = [np.stack(pixels[start : start + tower.batch]) for start in range(0, len(pixels), tower.batch)]
        return np.concatenate([tower.embed(batch) for batch in batches])


def _existing_photo(photo: StrPath) -> Path:
    path = Path(photo).expanduser().absolute()
    if path.is_dir():
        raise QueryError(f"{path} is a folder; name one photo")
    if not path.is_file():
        raise QueryError(f"no file {path}; check the name")
    return path


def _readable(read: Callable[[Path], _T], path: Path) -> _T:
    """What `read` makes of the photo file; its errors name the file."""
    try:
        return read(path)
    except DecodeError as error:
        raise DecodeError(f"{path} cannot be used ({error}); name another photo") from error
    except OSError as error:
        raise QueryError(f"{path} cannot be read ({error.strerror}); check its permissions") from error
