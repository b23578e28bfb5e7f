"""The towers on OpenVINO, the runtime on CPU: what `sigseek.siglip.runtimes.conversion` made of a checkpoint, without torch or transformers."""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from sigseek.siglip.checkpoint import Checkpoint
from sigseek.siglip.tokenizer import Tokenizer

# What each precision computes in; int8 says for itself which of its operations are not.
_HINTS = {"fp32": "f32", "bf16": "bf16"}


class OpenVinoImageTower:
    """The image tower of a conversion."""

    device = "cpu"
    runtime = "openvino"
    batch = 16

    def __init__(self, model: Path, precision: str) -> None:
        self.precision = precision
        self._model = CompiledModel(model, precision)

    def embed(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Unit-norm embeddings float32 (n, dim) of pixels uint8 (n, height, width, 3)."""
        return self._model.embed(pixels)


class OpenVinoTextTower:
    """The text tower of a conversion."""

    device = "cpu"
    runtime = "openvino"

    def __init__(self, model: Path, precision: str, checkpoint: Checkpoint) -> None:
        self.precision = precision
        self._tokenizer = Tokenizer(checkpoint)
        self._model = CompiledModel(model, precision)

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Unit-norm embeddings float32 (n, dim) of texts."""
        return self._model.embed(self._tokenizer.encode(texts))

    def cuts(self, text: str) -> bool:
        """Whether the text is longer than the checkpoint reads."""
        return self._tokenizer.cuts(text)


class CompiledModel:
    """A converted tower made ready for this processor; what that takes is kept beside the model for
    the next time.
    """

    def __init__(self, model: Path, precision: str, *, cache: bool = True) -> None:
        core = import_openvino().Core()
        properties = {
            "INFERENCE_PRECISION_HINT": _HINTS.get(precision) or _HINTS[best_precision()],
            "PERFORMANCE_HINT": "LATENCY",  # one request at a time, on all cores
        }
        if cache:
            properties["CACHE_DIR"] = str(model.parent / "compiled")
        self._request = core.compile_model(model, "CPU", properties).create_infer_request()

    def embed(self, inputs: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Unit-norm outputs float32 (n, dim) for the model's only input (n, ...)."""
        self._request.infer({0: inputs}, share_inputs=True)
        outputs: npt.NDArray[np.float32] = self._request.get_output_tensor(0).data
        # Here rather than in the model, where bf16 would leave norms that are off by thousandths.
        unit: npt.NDArray[np.float32] = outputs / np.linalg.norm(outputs, axis=1, keepdims=True)
        return unit


def is_installed() -> bool:
    """Whether OpenVINO is there: it has no packages for some platforms."""
    return find_spec("openvino") is not None


def best_precision() -> str:
    """What is fastest here without being visibly less exact: "bf16" where the processor computes in
    it, else "fp32".
    """
    return (
        "bf16"
        if "BF16" in import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        else "fp32"
    )


def import_openvino() -> ModuleType:
    """The package without its telemetry, which would report every import over the network: nothing
    may leave this machine.
    """
    absent: Any = None  # Python's way to say that a module is not to be had
    sys.modules.setdefault("openvino_telemetry", absent)
    try:
        return import_module("openvino")
    except ImportError as error:  # its extension makes one of a Ctrl-C, too
        cause: BaseException | None = error
        while cause and not isinstance(cause, KeyboardInterrupt):
            cause = cause.__cause__ or cause.__context__
        if cause:
            raise KeyboardInterrupt from error
        raise
