"""The towers on torch, through transformers: the reference that every other runtime is measured against."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import transformers
from torch.nn import functional
from transformers import PreTrainedModel, SiglipTextModel, SiglipVisionModel

from sigseek.siglip.checkpoint import Checkpoint
from sigseek.siglip.errors import CheckpointError
from sigseek.siglip.tokenizer import Tokenizer
from sigseek.siglip.towers import DEVICES

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
_BATCH, _LARGEST_BATCH = 16, 256


class TorchImageTower:
    """SiglipVisionModel; with "auto" in bf16 on CUDA and in fp32 elsewhere."""

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
        """Unit-norm embeddings float32 (n, dim) of pixels uint8 (n, height, width, 3)."""
        inputs = torch.from_numpy(self._preprocessing.normalize(pixels))
        if self.device == "cuda":
            inputs = inputs.pin_memory()
        inputs = inputs.to(self.device, _DTYPES[self.precision], non_blocking=True)
        return _unit(self._model(pixel_values=inputs).pooler_output)

    def _fitting_batch(self) -> int:
        """Pictures a call that a quarter of the free GPU memory holds, a power of two: more would
        gain little.
        """
        free, _ = torch.cuda.mem_get_info()
        config = self._model.config
        tokens = (config.image_size // config.patch_size) ** 2
        # The widest moment is inside the feed-forward part: its values beside those that pass it
        # by.
        each = (
            tokens
            * (config.intermediate_size + 6 * config.hidden_size)
            * _DTYPES[self.precision].itemsize
        )
        fitting = max(1, free // 4 // each)
        return int(min(_LARGEST_BATCH, 2 ** (fitting.bit_length() - 1)))


class TorchTextTower:
    """SiglipTextModel; with "auto" in fp32: one query costs little, and fp32 is the reference."""

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
        """Unit-norm embeddings float32 (n, dim) of texts."""
        inputs = torch.from_numpy(self._tokenizer.encode(texts)).to(self.device)
        return _unit(self._model(input_ids=inputs).pooler_output)

    def cuts(self, text: str) -> bool:
        """Whether the text is longer than the checkpoint reads."""
        return self._tokenizer.cuts(text)


def choose_device(name: str) -> str:
    """The device called `name`, the best there is for "auto"; CheckpointError when it is not
    there.
    """
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if name == "auto":
        return next(device for device in ("cuda", "mps", "cpu") if there[device])
    if name not in there:
        raise CheckpointError(f"'{name}' is no device; use one of {', '.join(DEVICES)}")
    if not there[name]:
        raise CheckpointError(
            f"torch finds no '{name}' device here; leave --device out, or install a torch built for it"
        )
    return name


def _unit(embeddings: torch.Tensor) -> npt.NDArray[np.float32]:
    return functional.normalize(embeddings.float(), dim=-1).cpu().numpy()


def load_model(
    kind: type[PreTrainedModel], checkpoint: Checkpoint, device: str, dtype: torch.dtype
) -> Any:
    """One tower of the checkpoint, ready to run; CheckpointError when weights are missing or of
    another shape.
    """
    try:
        with _quiet():
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
            f"{checkpoint.directory} cannot be loaded ({line}); fetch the checkpoint again"
        ) from error
    if found["missing_keys"] or found["mismatched_keys"]:
        first = sorted(str(key) for key in (*found["missing_keys"], *found["mismatched_keys"]))[0]
        raise CheckpointError(
            f"{checkpoint.directory} lacks usable weights for {first}; fetch the checkpoint again"
        )
    return model.eval().to(device)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' notes that the other tower's weights are not used, which is the
    point.
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
