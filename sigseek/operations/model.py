"""The checkpoint that a library is used with: its towers, and texts to embeddings.

The towers are loaded when something has to be embedded, and what they import is imported then.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from sigseek.errors import Option, Remedy
from sigseek.operations.default_checkpoint import checkpoint_to_index, checkpoint_to_search
from sigseek.operations.lazy import Lazy
from sigseek.operations.location import LibraryLocation
from sigseek.operations.warning import warn_caller
from sigseek.progress import Listener, Phase, Progress, Stop
from sigseek.results import counted
from sigseek.siglip import CheckpointError
from sigseek.siglip.names import DEFAULT
from sigseek.storage import CheckpointRecord

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sigseek.siglip import Checkpoint, ImageTower, TextTower
    from sigseek.siglip.yardstick.embeddings import Yardstick
    from sigseek.siglip.yardstick.steps import YardstickStep

    Floats: TypeAlias = npt.NDArray[np.float32]

_TEXT_BATCH = 64


class ModelInUse:
    """A checkpoint with its towers. Several threads may use it.

    The towers, and whatever else takes long, are loaded when first needed, once however many
    threads ask. `model` is the checkpoint's name; without it, it is the library's default, or for
    a library without checkpoints the program's.

    A call tells its own listener of whatever takes long, or without one `listener`. It raises
    StoppedError soon after its stop token is set.
    """

    def __init__(
        self,
        directory: LibraryLocation,
        model: str | None,
        device: str,
        precision: str,
        listener: Listener,
    ) -> None:
        self.name = model or None
        self.precision = precision
        self.listener = listener
        self._directory = directory
        self.device = device
        self._changes = 0
        """How often another checkpoint took the place of the one in use."""
        self._chosen: str | None = None
        """The name of the checkpoint that took the place of another one."""
        self._unusable: str | None = None
        """The name of a checkpoint that should have, and that could not be loaded."""
        self._changing = threading.Lock()
        self._runs = 0
        """The number of indexing runs that are going on."""
        self._checkpoint: Lazy[Checkpoint] = Lazy()
        self._images: Lazy[ImageTower] = Lazy()
        self._texts: Lazy[TextTower] = Lazy()

    @property
    def checkpoint(self) -> Checkpoint:
        """Return the checkpoint asked for, else the library's default, else the program's. Raises
        CheckpointError when it cannot be loaded.
        """
        return self.prepare()

    def prepare(self, listener: Listener | None = None, stop: Stop | None = None) -> Checkpoint:
        """Return `checkpoint`. If it has to be downloaded, the listener is told of it, and it is
        stopped by the token.
        """
        told, until = listener or self.listener, stop or Stop()
        return self._checkpoint.get(lambda: self._load_checkpoint(told, until), until)

    def check_device(self, stop: Stop) -> None:
        """Raise CheckpointError if photos cannot be embedded on the device that was asked for, and
        StoppedError soon after `stop` is set.
        """
        if self.device in ("cuda", "mps"):
            from sigseek.siglip.runtimes.choose import check_device

            check_device(self.device, self.precision, stop)

    def _load_checkpoint(self, listener: Listener, stop: Stop) -> Checkpoint:
        from sigseek.siglip import load_checkpoint  # facts alone need none of it

        if self.name is not None or not self._directory.exists():
            return load_checkpoint(self.name or DEFAULT, listener, stop)
        known = checkpoint_to_search(self._directory.catalog())
        name = self._chosen or (known.name if known else DEFAULT)
        try:
            return load_checkpoint(name, listener, stop)
        except CheckpointError as error:
            raise self._with_others(name, error) from error

    def _with_others(self, name: str, error: CheckpointError) -> CheckpointError:
        """Return the error about the library's default checkpoint, with one that can be used in its
        place, if the library has another.
        """
        other = checkpoint_to_search(self._directory.catalog(), without=name)
        if other is None or not other.embeddings:
            return error
        return CheckpointError(
            f"the library's checkpoint cannot be used: {error.found}",
            Remedy(
                "make it available again, or use another that the library has: {}",
                (Option("model", other.name),),
            ),
            error.kind,
        )

    def go_on_with_last_named(self) -> bool:
        """Use the checkpoint that was last named to an indexing run, unless one is asked for, and
        return whether another one was in use.
        """
        if self.name is not None or not self._directory.exists():
            return False
        known = checkpoint_to_index(self._directory.catalog())
        if known is None:
            return False
        if not self._checkpoint.is_loaded:
            self._chosen = known.name
            return False
        return self._change_to(known.name)

    def go_on_with_default(self) -> bool:
        """Use the checkpoint that answers when none is named, unless one is asked for, and return
        whether another one was in use.

        Another process may have indexed with another checkpoint meanwhile, or removed the one in
        use. That one stays if the other cannot be loaded, and while an indexing run uses it.
        """
        if self.name is not None or self._runs or not self._checkpoint.is_loaded:
            return False
        if not self._directory.exists():
            return False
        catalog = self._directory.catalog()
        known = catalog.once(checkpoint_to_search, lambda: checkpoint_to_search(catalog))
        if known is None or not known.embeddings:
            return False
        if known.name in (self.checkpoint.name, self._unusable):
            return False
        from sigseek.siglip import load_checkpoint

        try:
            load_checkpoint(known.name, self.listener, Stop())
        except CheckpointError:
            self._unusable = known.name
            return False
        return self._change_to(known.name)

    def _change_to(self, name: str) -> bool:
        with self._changing:
            self._chosen = name
            if self._checkpoint.is_loaded and self.checkpoint.name == name:
                return False
            self._checkpoint.clear()
            self._images.clear()
            self._texts.clear()
            self._changes += 1
            return True

    def changes(self) -> int:
        """Return how often another checkpoint took the place of the one in use.

        A change takes a moment, in which one thread may get the towers of either checkpoint, or one
        of each. So this waits until it is done.
        """
        with self._changing:
            return self._changes

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep the checkpoint in use during an indexing run, whatever is asked meanwhile."""
        with self._changing:
            self._runs += 1
        try:
            yield
        finally:
            with self._changing:
                self._runs -= 1

    def record(self) -> CheckpointRecord | None:
        """Return the checkpoint's row as it is now; None where the library has none."""
        if not self._directory.exists():
            return None
        return self._directory.catalog().find_checkpoint(
            self.checkpoint.fingerprint, self.checkpoint.preprocessing.fingerprint
        )

    def images(
        self,
        listener: Listener | None = None,
        stop: Stop | None = None,
        sample_folders: Sequence[Path] = (),
    ) -> ImageTower:
        """Return the image tower, which the first call loads.

        If an int8 conversion has to be made then, it learns from photos in `sample_folders` and in
        the library's own folders.
        """
        told, until = listener or self.listener, stop or Stop()
        return self._images.get(lambda: self._load_images(told, until, sample_folders), until)

    def texts(self, listener: Listener | None = None, stop: Stop | None = None) -> TextTower:
        """Return the text tower, which the first call loads."""
        told, until = listener or self.listener, stop or Stop()
        return self._texts.get(lambda: self._load_texts(told, until), until)

    @property
    def reads_at_once(self) -> bool:
        """Whether the text tower is loaded."""
        return self._texts.is_loaded

    def _load_images(
        self, listener: Listener, stop: Stop, sample_folders: Sequence[Path]
    ) -> ImageTower:
        from sigseek.siglip.runtimes.choose import load_image_tower

        listener.advanced(Progress(Phase.PREPARING))
        return load_image_tower(
            self.prepare(listener, stop),
            self.device,
            self._wanted_precision(),
            lambda: self._sample(sample_folders, stop),
            listener,
            stop,
        )

    def _load_texts(self, listener: Listener, stop: Stop) -> TextTower:
        from sigseek.siglip.runtimes.choose import load_text_tower
        from sigseek.siglip.shared_text_tower import SharedTextTower

        listener.advanced(Progress(Phase.PREPARING))
        checkpoint = self.prepare(listener, stop)
        tower = load_text_tower(checkpoint, self.device, self._wanted_precision(), listener, stop)
        return SharedTextTower(tower)

    def _wanted_precision(self) -> str:
        """Return the precision asked for; with "auto" the library's, so that queries match it.

        A library in bf16 may be used on a processor without bf16. There fp32 is used; the two mix.
        """
        record = self.record()
        held = self._directory.catalog().precision(record.id) if record else None
        return held if self.precision == "auto" and held in ("fp32", "int8") else self.precision

    def _sample(self, folders: Sequence[Path], stop: Stop) -> npt.NDArray[np.uint8]:
        """Return photos that an int8 conversion learns from."""
        from sigseek.indexer.presence import is_directory
        from sigseek.indexer.sample import sample_photos
        from sigseek.siglip.runtimes.conversion import MOST_PHOTOS

        known: list[Path] = []
        if self._directory.exists():
            known = [Path(folder.path) for folder in self._directory.catalog().folders()]
        present = [path for path in dict.fromkeys((*folders, *known)) if is_directory(path)]
        return sample_photos(present, self.checkpoint.preprocessing, MOST_PHOTOS, stop)

    def yardstick(
        self,
        listener: Listener | None = None,
        stop: Stop | None = None,
        least: YardstickStep | None = None,
        seconds: float = 0.0,
    ) -> Yardstick:
        """Return the checkpoint's embeddings of the texts and pictures that hits are judged by: all
        of them, or with `least` what `load_yardstick` makes of them.
        """
        from sigseek.siglip.yardstick.embeddings import load_yardstick

        told, until = listener or self.listener, stop or Stop()
        return load_yardstick(
            self.prepare(told, until),
            self.images(told, until),
            lambda: self.texts(told, until),
            told,
            until,
            least,
            seconds,
        )

    def embed_texts(
        self, texts: Sequence[str], listener: Listener | None = None, stop: Stop | None = None
    ) -> Floats:
        """Return unit-norm embeddings float32 (n, dim) of texts."""
        import numpy as np

        told, until = listener or self.listener, stop or Stop()
        dimension = self.prepare(told, until).dimension
        embeddings = [np.zeros((0, dimension), np.float32)]
        for start in range(0, len(texts), _TEXT_BATCH):
            batch = texts[start : start + _TEXT_BATCH]
            tower = self.texts(told, until)
            until.check()
            told.advanced(Progress(Phase.EMBEDDING_TEXTS, start, len(texts)))
            embeddings.append(tower.embed(batch))
        told.advanced(Progress(Phase.EMBEDDING_TEXTS, len(texts), len(texts)))
        return np.concatenate(embeddings)

    def warn_if_cut(self, what: str, text: str) -> str | None:
        """Warn whoever called the library when the model reads only the beginning of the text, and
        return what was said.
        """
        if not self.texts().cuts(text):
            return None
        note = (
            f"{what} has {counted(len(text.split()), 'word')} and the model reads "
            f"{self.checkpoint.text_length} tokens; only its beginning was searched for"
        )
        warn_caller(note)
        return note
