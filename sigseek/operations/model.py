"""The checkpoint that a library is used with: texts and photos to embeddings.

The towers and the process that decodes photos are loaded when something has to be embedded, and
what they import is imported then.
"""

from __future__ import annotations

import os
import threading
import warnings
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from sigseek.errors import Call, ErrorKind, Option, Remedy, RemedyWarning, escaped
from sigseek.indexer import DecodeError
from sigseek.operations.directory import LibraryDirectory
from sigseek.operations.lazy import Lazy
from sigseek.operations.paths import expand
from sigseek.operations.status import default_checkpoint
from sigseek.search.errors import QueryError
from sigseek.siglip import Checkpoint, ImageTower, TextTower, load_checkpoint
from sigseek.siglip.checkpoint import DEFAULT
from sigseek.storage import CheckpointRecord, CheckpointState, LibraryError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sigseek.indexer.decoding.guarded import GuardedDecoder
    from sigseek.search.query import Leaf
    from sigseek.siglip.yardstick.embeddings import Yardstick

    Floats: TypeAlias = npt.NDArray[np.float32]

_TEXT_BATCH = 64
_FEW = 4
"""Photo files that are decoded by the processes that are kept for queries."""
_MOST_DECODING = max(2, os.cpu_count() or 2)
"""Threads that may use these processes at the same time; it bounds how many there are."""


class ModelInUse:
    """A checkpoint with its towers. Several threads may use it.

    The towers, and whatever else takes long, are loaded when first needed, once however many
    threads ask. `model` is the checkpoint's name; without it, it is the one that embedded most of
    the library, or the default. `announce` is told in a line about whatever takes long.
    """

    def __init__(
        self,
        directory: LibraryDirectory,
        model: str | None,
        device: str,
        precision: str,
        announce: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._announce = announce
        self._directory = directory
        self._model = model or None
        self._device = device
        self._precision = precision
        self._checkpoint: Lazy[Checkpoint] = Lazy()
        self._images: Lazy[ImageTower] = Lazy()
        self._texts: Lazy[TextTower] = Lazy()
        self._decoder: Lazy[GuardedDecoder] = Lazy()
        self._decoding = threading.BoundedSemaphore(_MOST_DECODING)
        self._told_of_coverage = False
        self.coverage_note: Remedy | None = None
        """Says that another checkpoint has embedded more, as of the last `state_to_query`."""

    def close(self) -> None:
        """End the processes that decode photos of queries."""
        for decoder in self._decoder.clear():
            decoder.close()

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint asked for, else the one that embedded most of the library, else the
        default. Raises CheckpointError when it cannot be loaded.
        """
        return self._checkpoint.get(self._load_checkpoint)

    def _load_checkpoint(self) -> Checkpoint:
        name = self._model
        if name is None and self._directory.exists():
            known = default_checkpoint(self._directory.catalog().checkpoints())
            name = known.name if known else None
        return load_checkpoint(name or DEFAULT, self._announce)

    # The checkpoint's row in the catalog

    def record(self) -> CheckpointRecord | None:
        """Return the checkpoint's row as it is now; None where the library has none."""
        if not self._directory.exists():
            return None
        return self._directory.catalog().find_checkpoint(
            self.checkpoint.fingerprint, self.checkpoint.preprocessing.fingerprint
        )

    def record_to_index(self) -> CheckpointRecord:
        """Return the checkpoint's row, and add one when the checkpoint is new to the library.

        Raises LibraryError when the new embeddings would not mix with those that are there.
        """
        checkpoint = self.checkpoint
        record = self.record()
        if record is None:
            with self._directory.catalog().transaction() as transaction:
                record = transaction.add_checkpoint(
                    name=checkpoint.name,
                    fingerprint=checkpoint.fingerprint,
                    preprocessing=checkpoint.preprocessing.fingerprint,
                    dimension=checkpoint.dimension,
                    image_size=checkpoint.preprocessing.height,
                    logit_scale=checkpoint.scoring.logit_scale,
                    logit_bias=checkpoint.scoring.logit_bias,
                )
        held = self._directory.catalog().precision(record.id)
        if self._precision != "auto" and held and (self._precision == "int8") != (held == "int8"):
            raise LibraryError(
                f"the library {self._directory.directory} holds {held} embeddings, and int8 does "
                "not mix with other precisions",
                Remedy(
                    "leave out {} to keep the library's, or make another library",
                    (Option("precision"),),
                ),
            )
        return record

    def state_to_query(self) -> CheckpointState:
        """Return the checkpoint's state as it is now, read in one statement.

        Raises LibraryError when the checkpoint has embedded nothing of the library. Warns once when
        another checkpoint has embedded more.
        """
        states = self._directory.catalog().checkpoint_states()
        used = [state for state in states if state.record.embeddings]
        if not used:
            raise self._nothing_embedded()
        checkpoint = self.checkpoint
        wanted = (checkpoint.fingerprint, checkpoint.preprocessing.fingerprint)
        for state in used:
            if (state.record.fingerprint, state.record.preprocessing) == wanted:
                self._warn_of_coverage(state.record, [other.record for other in used])
                return state
        names = " and ".join(state.record.name for state in used)
        raise LibraryError(
            f"the library {self._directory.directory} was made with {names}, not with "
            f"{checkpoint.name} as it is now",
            Remedy(
                "search with {}, or add the other with: {}",
                (
                    Option("model", used[0].record.name),
                    Call("index", options=(("model", checkpoint.name),)),
                ),
            ),
            ErrorKind.NOT_FOUND,
        )

    def _nothing_embedded(self) -> LibraryError:
        directory, photos = self._directory.directory, self._directory.catalog().photo_count()
        return LibraryError(
            f"the library {directory} has photos, but no embeddings"
            if photos
            else f"the library {directory} has no photos yet",
            Remedy("make them with: {}", (Call("index"),))
            if photos
            else Remedy("add some with: {}", (Call("index", ("FOLDER",)),)),
            ErrorKind.NOT_FOUND,
        )

    def _warn_of_coverage(self, record: CheckpointRecord, used: Sequence[CheckpointRecord]) -> None:
        most = max(other.embeddings for other in used)
        if record.embeddings >= most:
            self.coverage_note = None
            return
        name = self.checkpoint.name
        self.coverage_note = Remedy(
            f"{escaped(name)} has embedded {record.embeddings:,} photos so far, others here "
            f"{most:,}; to go on with it: {{}}",
            (Call("index", options=(("model", name),)),),
        )
        if not self._told_of_coverage:
            self._told_of_coverage = True
            warnings.warn(RemedyWarning(self.coverage_note), stacklevel=4)

    # Towers

    def images(self, sample_folders: Sequence[Path] = ()) -> ImageTower:
        """Return the image tower, which the first call loads.

        If an int8 conversion has to be made then, it learns from photos in `sample_folders` and in
        the library's own folders.
        """
        return self._images.get(lambda: self._load_images(sample_folders))

    def texts(self) -> TextTower:
        """Return the text tower, which the first call loads."""
        return self._texts.get(self._load_texts)

    @property
    def reads_at_once(self) -> bool:
        """Whether the text tower is loaded."""
        return self._texts.is_loaded

    def _load_images(self, sample_folders: Sequence[Path]) -> ImageTower:
        from sigseek.siglip.runtimes.choose import load_image_tower

        return load_image_tower(
            self.checkpoint,
            self._device,
            self._wanted_precision(),
            self._announce,
            lambda: self._sample(sample_folders),
        )

    def _load_texts(self) -> TextTower:
        from sigseek.siglip.runtimes.choose import load_text_tower

        return load_text_tower(
            self.checkpoint, self._device, self._wanted_precision(), self._announce
        )

    def _wanted_precision(self) -> str:
        """Return the precision asked for; with "auto" the library's, so that queries match it.

        A library in bf16 may be used on a processor without bf16. There fp32 is used; the two mix.
        """
        record = self.record()
        held = self._directory.catalog().precision(record.id) if record else None
        return held if self._precision == "auto" and held in ("fp32", "int8") else self._precision

    def _sample(self, folders: Sequence[Path]) -> npt.NDArray[np.uint8]:
        """Return photos that an int8 conversion learns from."""
        from sigseek.indexer.sample import sample_photos
        from sigseek.siglip.runtimes.conversion import MOST_PHOTOS

        known: list[Path] = []
        if self._directory.exists():
            known = [Path(folder.path) for folder in self._directory.catalog().folders()]
        present = [path for path in dict.fromkeys((*folders, *known)) if path.is_dir()]
        return sample_photos(present, self.checkpoint.preprocessing, MOST_PHOTOS)

    def yardstick(self, on_done: Callable[[int, int], None]) -> Yardstick:
        """Return the checkpoint's embeddings of the texts and pictures that hits are judged by.

        `on_done` is told how many texts are embedded, and of how many.
        """
        from sigseek.siglip.yardstick.embeddings import load_yardstick

        return load_yardstick(self.checkpoint, self.images(), self.texts, self._announce, on_done)

    # Texts

    def embed_texts(
        self, texts: Sequence[str], on_done: Callable[[int], None] = lambda done: None
    ) -> Floats:
        """Return unit-norm embeddings float32 (n, dim) of texts."""
        import numpy as np

        embeddings = [np.zeros((0, self.checkpoint.dimension), np.float32)]
        for start in range(0, len(texts), _TEXT_BATCH):
            batch = texts[start : start + _TEXT_BATCH]
            embeddings.append(self.texts().embed(batch))
            on_done(start + len(batch))
        return np.concatenate(embeddings)

    def embed_terms(self, asked: Sequence[Leaf]) -> dict[Leaf, Floats]:
        """Return the unit-norm embedding (dim,) of each text and photo term."""
        from sigseek.search.query import PhotoTerm, Text

        vectors: dict[Leaf, Floats] = {}
        texts = [term for term in asked if isinstance(term, Text)]
        if texts:
            vectors |= zip(texts, self.texts().embed([term.text for term in texts]), strict=True)
        for term in asked:
            if isinstance(term, PhotoTerm):
                vectors[term] = self.photo_vector(Path(term.path))[0]
        return vectors

    def warn_if_cut(self, what: str, text: str) -> str | None:
        """Warn the caller's caller when the model reads only the beginning of the text, and return
        what was said.
        """
        if not self.texts().cuts(text):
            return None
        note = (
            f"{what} has {len(text.split()):,} words and the model reads "
            f"{self.checkpoint.text_length} tokens; only its beginning was searched for"
        )
        warnings.warn(note, stacklevel=3)
        return note

    # Photo files

    def embed_photos(self, paths: Sequence[Path]) -> Generator[tuple[Path, Floats | DecodeError]]:
        """Give the unit-norm embedding float32 (dim,) of each photo file, or why it has none.

        The results come in the order of the files.

        Files are decoded in several processes ahead of the tower, in bounded memory. Close the
        generator, or exhaust it, to end the processes.
        """
        from sigseek.indexer.decoding.guarded import GuardedDecoder
        from sigseek.indexer.embed_files import embed_files

        if len(paths) <= _FEW:
            with self._decoding:
                yield from embed_files(paths, self._kept_decoder(), self.images)
        else:  # processes of its own, which end with it: so many are rarely needed
            with GuardedDecoder(self.checkpoint.preprocessing) as decoder:
                yield from embed_files(paths, decoder, self.images)

    def photo_vector(self, photo: Path) -> tuple[Floats, int | None]:
        """Return the unit-norm embedding (dim,) of a photo, and its id if the library knows it.

        The file may be missing, as on an unplugged drive, when the library has its embedding.
        Raises QueryError when there is no such file, DecodeError when it gives no picture.
        """
        import numpy as np

        path = expand(photo).absolute()
        known = self._known_photo(path)
        if known is not None:
            catalog, record = self._directory.catalog(), self.state_to_query().record
            stored = catalog.embeddings(record.id, [known])[1]
            if len(stored):
                return stored[0].astype(np.float32), known
        return self._embed_photo(existing_photo(path)), known

    def check_photo(self, photo: Path) -> None:
        """Raise QueryError for a file that does not exist, unless a library may know it."""
        if not self._directory.exists():
            existing_photo(photo)

    def _known_photo(self, path: Path) -> int | None:
        """Return the id of the photo in the file, or of the one that was there if it is missing.

        None when the library does not know the photo. Raises QueryError or DecodeError for a file
        that cannot be read.
        """
        from sigseek.indexer.decoding.digest import digest_file

        catalog = self._directory.catalog()
        if not os.path.exists(path):
            return catalog.find_photo_of_file(path)
        try:
            return catalog.find_photo(digest_file(existing_photo(path)).digest)
        except DecodeError as error:
            raise cannot_be_used(path, error) from error
        except OSError as error:
            raise _unreadable(path, error) from error

    def _embed_photo(self, path: Path) -> Floats:
        """Return the embedding (dim,) of one photo file; DecodeError when it gives no picture."""
        ((_, found),) = self.embed_photos([path])
        if isinstance(found, DecodeError):
            raise cannot_be_used(path, found) from found
        return found

    def embed_views(self, photos: Sequence[tuple[Path, int]]) -> Iterator[Floats | None]:
        """Give unit-norm embeddings (views, dim) of parts of each photo, in order.

        A photo is its path and the number of its pixels. None stands for a file that cannot be used
        now.
        """
        from sigseek.indexer.embed_files import embed_views

        with self._decoding:
            yield from embed_views(photos, self._kept_decoder(), self.images)

    def _kept_decoder(self) -> GuardedDecoder:
        """Return the decoder whose processes are kept for the next query.

        A query photo may come from anybody, so it is decoded in another process. To start one takes
        a tenth of a second, during which the tower is loaded; the next query finds it running.
        """
        return self._decoder.get(self._start_decoder)

    def _start_decoder(self) -> GuardedDecoder:
        from sigseek.indexer.decoding.guarded import GuardedDecoder

        catalog = self._directory.catalog() if self._directory.exists() else None
        limit = catalog.max_pixels() if catalog else None  # of photos that were indexed
        decoder = GuardedDecoder(self.checkpoint.preprocessing, limit)
        weakref.finalize(self, decoder.close)  # for callers that forget to close the library
        return decoder


def existing_photo(photo: Path) -> Path:
    """Return the photo's absolute path; raises QueryError unless there is a file."""
    path = expand(photo).absolute()
    if os.path.isdir(path):  # unlike Path's methods, these raise nothing
        raise QueryError(f"{path} is a folder", "name one photo")
    if not os.path.isfile(path):
        raise QueryError(f"no file {path}", "check the name", ErrorKind.NOT_FOUND)
    return path


def cannot_be_used(path: Path, error: DecodeError) -> DecodeError:
    """The error with the name of the photo file in it."""
    return DecodeError(f"{path} cannot be used ({error})", "name another photo", error.kind)


def _unreadable(path: Path, error: OSError) -> QueryError:
    return QueryError(
        f"{path} cannot be read ({error.strerror})", "check its permissions", ErrorKind.UNAVAILABLE
    )


def gather(
    embedded: Iterable[tuple[Path, Floats | DecodeError]],
    on_done: Callable[[int], None] = lambda done: None,
) -> tuple[dict[Path, Floats], dict[Path, str]]:
    """Return the embedding of each file that has one, and for the others the reason why not.

    `embedded` is what `ModelInUse.embed_photos` gives; `on_done` is told how many files are done.
    """
    embeddings: dict[Path, Floats] = {}
    unusable: dict[Path, str] = {}
    for done, (path, found) in enumerate(embedded, 1):
        if isinstance(found, DecodeError):
            unusable[path] = str(found)
        else:
            embeddings[path] = found
        on_done(done)
    return embeddings, unusable
