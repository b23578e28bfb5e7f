"""Photos and texts to embeddings, by the checkpoint that a library is used with.

Towers are loaded when there is something to embed, and what they need is imported then.
"""

from __future__ import annotations

import os
import string
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from sigseek.indexer import DecodeError
from sigseek.indexer.errors import UndecidedError
from sigseek.operations.directory import LibraryDirectory
from sigseek.operations.paths import expand
from sigseek.operations.status import default_checkpoint
from sigseek.search.errors import QueryError
from sigseek.siglip import Checkpoint, ImageTower, TextTower, load_checkpoint
from sigseek.siglip.checkpoint import DEFAULT
from sigseek.storage import CheckpointRecord, LibraryError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sigseek.search.query import Leaf
    from sigseek.siglip.yardstick.embeddings import Yardstick

    Floats: TypeAlias = npt.NDArray[np.float32]

_T = TypeVar("_T")
_TEXT_BATCH = 64
_PUNCTUATION = string.punctuation + string.whitespace


class ModelInUse:
    """A checkpoint, and its towers once they are needed.

    `model` is its name; without it, it is the one that embedded most of the library in `place`, or
    the default. `announce` is told of what takes long, in a line.
    """

    def __init__(
        self,
        place: LibraryDirectory,
        model: str | None,
        device: str,
        precision: str,
        announce: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.sample_folders: list[Path] = []
        """Where an int8 conversion finds photos to learn from, besides the library's own
        folders.
        """
        self._announce = announce
        self._place = place
        self._model = model or None
        self._device = device
        self._precision = precision
        self._checkpoint: Checkpoint | None = None
        self._images: ImageTower | None = None
        self._texts: TextTower | None = None
        self._told_of_coverage = False

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint asked for, or the one that embedded most of the library, or the default.

        CheckpointError when it cannot be had.
        """
        if self._checkpoint is None:
            name = self._model
            if name is None and self._place.exists():
                known = default_checkpoint(self._place.catalog().checkpoints())
                name = known.name if known else None
            self._checkpoint = load_checkpoint(name or DEFAULT, self._announce)
        return self._checkpoint

    def record(self) -> CheckpointRecord | None:
        """The checkpoint's row as it is now; None where there is no library, or one without it."""
        if not self._place.exists():
            return None
        return self._place.catalog().find_checkpoint(
            self.checkpoint.fingerprint, self.checkpoint.preprocessing.fingerprint
        )

    def record_to_index(self) -> CheckpointRecord:
        """The checkpoint's row, added for one that is new to the library.

        LibraryError when new embeddings would not be of one kind with those it holds.
        """
        checkpoint = self.checkpoint
        record = self.record()
        if record is None:
            with self._place.catalog().transaction() as transaction:
                record = transaction.add_checkpoint(
                    name=checkpoint.name,
                    fingerprint=checkpoint.fingerprint,
                    preprocessing=checkpoint.preprocessing.fingerprint,
                    dimension=checkpoint.dimension,
                    image_size=checkpoint.preprocessing.height,
                    logit_scale=checkpoint.scoring.logit_scale,
                    logit_bias=checkpoint.scoring.logit_bias,
                )
        held = self._place.catalog().precision(record.id)
        if self._precision != "auto" and held and (self._precision == "int8") != (held == "int8"):
            raise LibraryError(
                f"the library {self._place.directory} holds {held} embeddings, and int8 does not mix with other precisions; "
                "leave --precision out to go on as it is, or make another library with --library"
            )
        return record

    def record_to_query(self) -> CheckpointRecord:
        """The checkpoint's row as it is now; LibraryError where the library has nothing of it.

        Warns the caller of the method that calls this, once, when others have embedded more.
        """
        directory = self._place.directory
        catalog = self._place.catalog()
        in_use = [record for record in catalog.checkpoints() if record.embeddings]
        if not in_use:
            if catalog.photo_count():
                raise LibraryError(
                    f"the library {directory} has photos, but no embeddings; make them with: sigseek index"
                )
            raise LibraryError(
                f"the library {directory} holds no photos yet; add some with: sigseek index FOLDER"
            )
        record, name = self.record(), self.checkpoint.name
        if record is None or not record.embeddings:
            names = " and ".join(known.name for known in in_use)
            raise LibraryError(
                f"the library {directory} was made with {names}, not with {name} as it is now; "
                f"search with --model {in_use[0].name}, or add the other with: sigseek index --model {name}"
            )
        most = max(known.embeddings for known in in_use)
        if record.embeddings < most and not self._told_of_coverage:
            self._told_of_coverage = True
            warnings.warn(
                f"{name} has embedded {record.embeddings:,} photos so far, others here {most:,}; "
                f"to go on with it: sigseek index --model {name}",
                stacklevel=3,
            )
        return record

    def images(self) -> ImageTower:
        """The image tower, loaded at the first call."""
        if self._images is None:
            from sigseek.siglip.runtimes.choose import load_image_tower

            self._images = load_image_tower(
                self.checkpoint,
                self._device,
                self._wanted_precision(),
                self._announce,
                self._sample,
            )
        return self._images

    def texts(self) -> TextTower:
        """The text tower, loaded at the first call."""
        if self._texts is None:
            from sigseek.siglip.runtimes.choose import load_text_tower

            self._texts = load_text_tower(
                self.checkpoint, self._device, self._wanted_precision(), self._announce
            )
        return self._texts

    def yardstick(self, on_done: Callable[[int, int], None]) -> Yardstick:
        """What the checkpoint makes of what hits are judged by; `on_done` is told how many texts of
        how many are embedded.
        """
        from sigseek.siglip.yardstick.embeddings import load_yardstick

        return load_yardstick(self.checkpoint, self.images(), self.texts, self._announce, on_done)

    def embed_texts(
        self, texts: Sequence[str], on_done: Callable[[int], None] = lambda done: None
    ) -> Floats:
        """Unit-norm embeddings float32 (n, dim) of texts, at least one."""
        import numpy as np

        embeddings = []
        for start in range(0, len(texts), _TEXT_BATCH):
            batch = texts[start : start + _TEXT_BATCH]
            embeddings.append(self.texts().embed(batch))
            on_done(start + len(batch))
        return np.concatenate(embeddings)

    def embed_terms(self, asked: Sequence[Leaf]) -> dict[Leaf, Floats]:
        """The unit-norm embedding (dim,) of each text and photo term. QueryError for a text that
        says nothing to the model.
        """
        from sigseek.search.query import PhotoTerm, Text

        texts = [term for term in asked if isinstance(term, Text)]
        vectors: dict[Leaf, Floats] = {}
        if any(not text.strip(_PUNCTUATION) for text in (term.text for term in texts)):
            raise QueryError(
                "the query has no words, and the model reads no punctuation; describe what the photo shows"
            )
        if any("\udc80" <= character <= "\udcff" for term in texts for character in term.text):
            raise QueryError("the query is not UTF-8; type it anew")
        if texts:
            vectors |= zip(texts, self.texts().embed([term.text for term in texts]), strict=True)
        for term in asked:
            if isinstance(term, PhotoTerm):
                vectors[term] = self.photo_vector(existing_photo(Path(term.path)))[0]
        return vectors

    def photo_vector(self, path: Path) -> tuple[Floats, int | None]:
        """The unit-norm embedding (dim,) of a photo file, and its id if the library knows it."""
        import numpy as np

        from sigseek.indexer.decoding.digest import digest_file

        catalog, record = self._place.catalog(), self.record_to_query()
        known = catalog.find_photo(_readable(digest_file, path).digest)
        vectors = (
            catalog.embeddings(record.id, [known])[1]
            if known is not None
            else np.zeros(0, np.float16)
        )
        return vectors[0].astype(np.float32) if len(vectors) else self.embed_photos([path])[
            0
        ], known

    def embed_photos(self, paths: Sequence[Path]) -> Floats:
        """Unit-norm embeddings float32 (n, dim) of photo files.

        DecodeError or QueryError, naming the file, where one cannot be used.
        """
        return self._embed([_readable(self._decode, path) for path in paths])

    def embed_usable_photos(
        self, paths: Sequence[Path], on_problem: Callable[[Exception], None]
    ) -> tuple[list[Path], Floats]:
        """The absolute paths of the photo files that can be used, and their embeddings as
        `embed_photos` gives them.

        What is wrong with the others is told to `on_problem`.
        """
        import numpy as np

        usable: list[Path] = []
        pixels: list[npt.NDArray[np.uint8]] = []
        for path in paths:
            try:
                there = existing_photo(path)
                pixels.append(_readable(self._decode, there))
                usable.append(there)
            except (DecodeError, QueryError) as error:
                on_problem(error)
        return usable, self._embed(pixels) if pixels else np.zeros(
            (0, self.checkpoint.dimension), np.float32
        )

    def _embed(self, pixels: Sequence[npt.NDArray[np.uint8]]) -> Floats:
        import numpy as np

        tower = self.images()
        batches = [
            np.stack(pixels[start : start + tower.batch])
            for start in range(0, len(pixels), tower.batch)
        ]
        return np.concatenate([tower.embed(batch) for batch in batches])

    def embed_views(self, path: Path) -> Floats | None:
        """Unit-norm embeddings (views, dim) of parts of the photo; None where the file cannot be
        used now.
        """
        from sigseek.indexer.decoding.decode import decode_views
        from sigseek.indexer.decoding.guarded import GuardedDecoder

        preprocessing = self.checkpoint.preprocessing
        try:
            try:
                views = decode_views(path, preprocessing)
            except UndecidedError:
                with GuardedDecoder(preprocessing) as decoders:
                    views = decoders.decode_views(path)
        except (DecodeError, OSError):
            return None
        return self.images().embed(views)

    def _decode(self, path: Path) -> npt.NDArray[np.uint8]:
        """The photo's pixels (height, width, 3) for the image tower. Raises as
        `sigseek.indexer.decoding.decode.decode_photo` does.

        In this process: one for decoding would be felt as it starts, and photos named one by one
        are seldom hostile. In one of our own what is too large for Pillow, whose limit is not ours
        to change here.
        """
        from sigseek.indexer.decoding.decode import decode_photo
        from sigseek.indexer.decoding.guarded import GuardedDecoder

        preprocessing = self.checkpoint.preprocessing
        try:
            return decode_photo(path, preprocessing).pixels
        except UndecidedError:
            with GuardedDecoder(preprocessing) as decoders:
                return decoders.decode(path).pixels

    def warn_if_cut(self, what: str, text: str) -> None:
        """Warn the caller of the method that calls this when the model reads only the beginning of
        the text.
        """
        if self.texts().cuts(text):
            warnings.warn(
                f"{what} has {len(text.split()):,} words and the model reads {self.checkpoint.text_length} tokens; "
                "only its beginning was searched for",
                stacklevel=3,
            )

    def _wanted_precision(self) -> str:
        """What was asked for; with "auto", what the library holds, so that a query is embedded as
        the photos were.

        A library in bf16 may meet a processor without it: there fp32 mixes with it.
        """
        record = self.record()
        held = self._place.catalog().precision(record.id) if record else None
        return held if self._precision == "auto" and held in ("fp32", "int8") else self._precision

    def _sample(self) -> npt.NDArray[np.uint8]:
        """Photos that an int8 conversion learns from: of the folders being indexed and those that
        are known.
        """
        from sigseek.indexer.sample import sample_photos
        from sigseek.siglip.runtimes.conversion import MOST_PHOTOS

        known = (
            [Path(folder.path) for folder in self._place.catalog().folders()]
            if self._place.exists()
            else []
        )
        folders = [*dict.fromkeys(path for path in (*self.sample_folders, *known) if path.is_dir())]
        return sample_photos(folders, self.checkpoint.preprocessing, MOST_PHOTOS)


def existing_photo(photo: Path) -> Path:
    """The photo's absolute path; QueryError unless there is a file."""
    path = expand(photo).absolute()
    if os.path.isdir(path):  # unlike Path's, these raise nothing
        raise QueryError(f"{path} is a folder; name one photo")
    if not os.path.isfile(path):
        raise QueryError(f"no file {path}; check the name")
    return path


def _readable(read: Callable[[Path], _T], path: Path) -> _T:
    """What `read` makes of the photo file; its errors name the file."""
    try:
        return read(path)
    except DecodeError as error:
        raise DecodeError(f"{path} cannot be used ({error}); name another photo") from error
    except OSError as error:
        raise QueryError(
            f"{path} cannot be read ({error.strerror}); check its permissions"
        ) from error
