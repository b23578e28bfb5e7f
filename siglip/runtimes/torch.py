"""The towers on torch, through transformers.

Every other runtime is compared with this one.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import transformers
from torch.nn import functional
from transformers import PreTrainedModel, SiglipTextModel, SiglipVisionModel

from sigseek.errors import ErrorKind, Option, Remedy
from sigseek.siglip.checkpoint import Checkpoint
from sigseek.siglip.errors import FETCH_AGAIN, CheckpointError
from sigseek.siglip.tokenizer import Tokenizer
from sigseek.siglip.towers import check_choices

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
_BATCH, _LARGEST_BATCH = 16, 256
# Loading switches settings of torch and transformers that hold for the whole process, so one model
# is loaded at a time. Running a model needs no lock: inference mode belongs to the thread.
_loading = threading.Lock()


class TorchImageTower:
    """The image tower as transformers' SiglipVisionModel; see `sigseek.siglip.towers.ImageTower`.

    The precision "auto" is bf16 on CUDA and fp32 elsewhere.
    """

    runtime = "torch"

    def __init__(
        self, checkpoint: Checkpoint, device: str = "auto", precision: str = "auto"
    ) -> None:
        self.device = choose_device(device)
        self.precision = (
            ("bf16" if self.device == "cuda" else "fp32") if precision == "auto" else precision
        )
        self._preprocessing = checkpoint.preprocessing
        self._model = load_model(
            SiglipVisionModel, checkpoint, self.device, _DTYPES[self.precision]
        )
        self.batch = self._fitting_batch() if self.device == "cuda" else _BATCH

    @torch.inference_mode()
    def embed(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return unit-norm embeddings float32 (n, dim) of pixels uint8 (n, height, width, 3)."""
        if not len(pixels):
            return np.zeros((0, self._model.config.hidden_size), np.float32)
        inputs = torch.from_numpy(self._preprocessing.normalize(pixels))
        with _memory_of(self.device):
            if self.device == "cuda":
                inputs = inputs.pin_memory()
            inputs = inputs.to(self.device, _DTYPES[self.precision], non_blocking=True)
            return _unit(self._model(pixel_values=inputs).pooler_output)

    def _fitting_batch(self) -> int:
        """Return how many pictures fit into a quarter of the free GPU memory, as a power of two.

        Larger batches would gain little.
        """
        free, _ = torch.cuda.mem_get_info()
        config = self._model.config
        tokens = (config.image_size // config.patch_size) ** 2
        # Memory peaks inside the feed-forward layer, which holds its own values and the residual's.
        each = (
            tokens
            * (config.intermediate_size + 6 * config.hidden_size)
            * _DTYPES[self.precision].itemsize
        )
        fitting = max(1, free // 4 // each)
        return int(min(_LARGEST_BATCH, 2 ** (fitting.bit_length() - 1)))


class TorchTextTower:
    """The text tower as transformers' SiglipTextModel; see `sigseek.siglip.towers.TextTower`.

    The precision "auto" is fp32: a text costs little, and fp32 is exact.
    """

    runtime = "torch"

    def __init__(
        self, checkpoint: Checkpoint, device: str = "auto", precision: str = "auto"
    ) -> None:
        self.device = choose_device(device)
        self.precision = "fp32" if precision == "auto" else precision
        self._tokenizer = Tokenizer(checkpoint)
        self._model = load_model(SiglipTextModel, checkpoint, self.device, _DTYPES[self.precision])

    @torch.inference_mode()
    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return unit-norm embeddings float32 (n, dim) of n texts."""
        if not len(texts):
            return np.zeros((0, self._model.config.hidden_size), np.float32)
        inputs = torch.from_numpy(self._tokenizer.encode(texts))
        with _memory_of(self.device):
            return _unit(self._model(input_ids=inputs.to(self.device)).pooler_output)

    def cuts(self, text: str) -> bool:
        """Return whether the text is longer than the checkpoint reads."""
        return self._tokenizer.cuts(text)

    def unknown_share(self, text: str) -> float:
        """Return the share, 0 to 1, of the text's tokens that the checkpoint does not know."""
        return self._tokenizer.unknown_share(text)

    def unfamiliar_words(self, text: str) -> tuple[str, ...]:
        """Return the words that the checkpoint's vocabulary only has in letters, at most five."""
        return self._tokenizer.unfamiliar_words(text)


def choose_device(name: str) -> str:
    """Return the device called `name`, or the best one here for "auto".

    Raises CheckpointError for a device that this machine does not have.
    """
    present = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if name == "auto":
        return next(device for device in ("cuda", "mps", "cpu") if present[device])
    check_choices(name, "auto")
    if not present[name]:
        raise CheckpointError(
            f"torch finds no '{name}' device on this machine",
            Remedy("leave out {}, or install a torch built for it", (Option("device"),)),
            ErrorKind.UNSUPPORTED,
        )
    return name


def _unit(embeddings: torch.Tensor) -> npt.NDArray[np.float32]:
    return functional.normalize(embeddings.float(), dim=-1).cpu().numpy()


def load_model(
    kind: type[PreTrainedModel], checkpoint: Checkpoint, device: str, dtype: torch.dtype
) -> Any:
    """Load one tower of the checkpoint, ready to run.

    Raises CheckpointError when weights are missing or of another shape, or the device's memory is
    full.
    """
    try:
        with _loading, _quiet():
            model, found = kind.from_pretrained(
                checkpoint.directory,
                dtype=dtype,
                output_loading_info=True,
                use_safetensors=True,
                local_files_only=True,
            )
    except (OSError, ValueError, RuntimeError) as error:
        line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(
            f"{checkpoint.directory} cannot be loaded ({line})", FETCH_AGAIN, ErrorKind.DAMAGED
        ) from error
    if found["missing_keys"] or found["mismatched_keys"]:
        first = sorted(str(key) for key in (*found["missing_keys"], *found["mismatched_keys"]))[0]
        raise CheckpointError(
            f"{checkpoint.directory} lacks usable weights for {first}",
            FETCH_AGAIN,
            ErrorKind.DAMAGED,
        )
    with _memory_of(device):
        return model.eval().to(device)


@contextmanager
def _memory_of(device: str) -> Iterator[None]:
    """Raise CheckpointError when the device has too little memory for what is done."""
    try:
        yield
    except RuntimeError as error:
        if "out of memory" not in str(error):  # Apple's devices have no error of their own for it
            raise
        raise CheckpointError(
            f"the memory of {device} is full",
            Remedy("end other programs that use it, or use {}", (Option("device", "cpu"),)),
            ErrorKind.UNAVAILABLE,
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence transformers' notes that the weights of the other tower are not used.

    That is intended: each tower is loaded by itself.
    """
    level, bars = (
        transformers.logging.get_verbosity(),
        transformers.logging.is_progress_bar_enabled(),
    )
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers.logging.set_verbosity(level)
        if bars:
            transformers.logging.enable_progress_bar()
