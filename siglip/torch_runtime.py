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

from siglip.checkpoint import Checkpoint
from siglip.errors import CheckpointError
from siglip.tokenizer import Tokenizer

DEVICES = ("auto", "cpu", "cuda", "mps")


class TorchImageTower:
    """SiglipVisionModel: fp32 on CPU and MPS, bf16 on CUDA."""

    def __init__(self, checkpoint: Checkpoint, device: str = "auto") -> None:
        self.device = choose_device(device)
        self.precision = "bf16" if self.device == "cuda" else "fp32"
        self._dtype = torch.bfloat16 if self.precision == "bf16" else torch.float32
        self._preprocessing = checkpoint.preprocessing
        self._model = _load(SiglipVisionModel, checkpoint, self.device, self._dtype)

    @torch.inference_mode()
    def embed(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Unit-norm embeddings float32 (n, dim) of pixels uint8 (n, height, width, 3)."""
        inputs = torch.from_numpy(self._preprocessing.normalize(pixels)).to(self.device, self._dtype)
        return _unit(self._model(pixel_values=inputs).pooler_output)


class TorchTextTower:
    """SiglipTextModel in fp32: one query costs little, and fp32 is the reference."""

    def __init__(self, checkpoint: Checkpoint, device: str = "auto") -> None:
        self.device = choose_device(device)
        self._tokenizer = Tokenizer(checkpoint)
        self._model = _load(SiglipTextModel, checkpoint, self.device, torch.float32)

    @torch.inference_mode()
    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Unit-norm embeddings float32 (n, dim) of texts."""
        inputs = torch.from_numpy(self._tokenizer.encode(texts)).to(self.device)
        return _unit(self._model(input_ids=inputs).pooler_output)

    def cuts(self, text: str) -> bool:
        """Whether the text is longer than the checkpoint reads."""
        return self._tokenizer.cuts(text)


def choose_device(name: str) -> str:
    """The device called `name`, the best there is for "auto"; CheckpointError when it is not there."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return next(device for device in ("cuda", "mps", "cpu") if there[device])
    if name not in there:
        raise CheckpointError(f"'{name}' is no device; use one of {', '.join(DEVICES)}")
    if not there[name]:
        raise CheckpointError(f"torch finds no '{name}' device here; leave --device out, or install a torch built for it")
    return name


def _unit(embeddings: torch.Tensor) -> npt.NDArray[np.float32]:
    return functional.normalize(embeddings.float(), dim=-1).cpu().numpy()


def _load(kind: type[PreTrainedModel], checkpoint: Checkpoint, device: str, dtype: torch.dtype) -> Any:
    """One tower of the checkpoint, ready to run; CheckpointError when weights are missing or of another shape."""
    try:
        with _quiet():
            model, found = kind.from_pretrained(
                checkpoint.directory, dtype=dtype, output_loading_info=True, use_safetensors=True, local_files_only=True
            )
    except (OSError, ValueError, RuntimeError) as error:
        line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(f"{checkpoint.directory} cannot be loaded ({line}); fetch the checkpoint again") from error
    if found["missing_keys"] or found["mismatched_keys"]:
        first = sorted(str(key) for key in (*found["missing_keys"], *found["mismatched_keys"]))[0]
        raise CheckpointError(f"{checkpoint.directory} lacks usable weights for {first}; fetch the checkpoint again")
    return model.eval().to(device)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' notes that the other tower's weights are not used, which is the point."""
    level, bars = transformers.logging.get_verbosity(), transformers.logging.is_progress_bar_enabled()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers.logging.set_verbosity(level)
        if bars:
            transformers.logging.enable_progress_bar()
