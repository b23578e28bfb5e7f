"""The towers on OpenVINO, which is the runtime on CPU. Neither torch nor transformers is imported.

`sigseek.siglip.runtimes.conversion` makes the models that are loaded here.
"""

import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from sigseek.errors import Option, Remedy
from sigseek.progress import Stop
from sigseek.siglip.checkpoint import Checkpoint
from sigseek.siglip.runtimes import unfinished
from sigseek.siglip.runtimes.background import run_until_stopped
from sigseek.siglip.tokenizer import Tokenizer

# The arithmetic of each precision. An int8 model carries its own precisions; its remaining float
# operations run in the best one.
_HINTS = {"fp32": "f32", "bf16": "bf16"}


class OpenVinoImageTower:
    """The image tower of a conversion; see `sigseek.siglip.towers.ImageTower`."""

    device = "cpu"
    runtime = "openvino"
    batch = 16

    def __init__(self, model: Path, precision: str, stop: Stop | None = None) -> None:
        self.precision = precision
        self._model = CompiledModel(model, precision, stop)

    def embed(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return unit-norm embeddings float32 (n, dim) of pixels uint8 (n, height, width, 3)."""
        return self._model.embed(pixels)


class OpenVinoTextTower:
    """The text tower of a conversion; see `sigseek.siglip.towers.TextTower`."""

    device = "cpu"
    runtime = "openvino"

    def __init__(
        self, model: Path, precision: str, checkpoint: Checkpoint, stop: Stop | None = None
    ) -> None:
        self.precision = precision
        self._tokenizer = Tokenizer(checkpoint)
        self._model = CompiledModel(model, precision, stop)

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return unit-norm embeddings float32 (n, dim) of texts."""
        return self._model.embed(self._tokenizer.encode(texts))

    def cuts(self, text: str) -> bool:
        """Return whether the text is longer than the checkpoint reads."""
        return self._tokenizer.cuts(text)

    def unknown_share(self, text: str) -> float:
        """Return the share, 0 to 1, of the text's tokens that the checkpoint does not know."""
        return self._tokenizer.unknown_share(text)

    def unfamiliar_words(self, text: str) -> tuple[str, ...]:
        """Return the words that the checkpoint's vocabulary only has in letters, at most five."""
        return self._tokenizer.unfamiliar_words(text)


class CompiledModel:
    """A converted tower, compiled for this processor. Several threads may use it at the same time.

    The compiled form is kept beside the model, so the next start is fast. A compilation takes
    seconds and cannot be interrupted: when `stop` is set, it ends in the background.
    """

    def __init__(
        self, model: Path, precision: str, stop: Stop | None = None, *, cache: bool = True
    ) -> None:
        import_openvino()  # in this thread, which a Ctrl-C reaches
        compile_ = _compile_and_keep if cache else _compile
        self._compiled = run_until_stopped(lambda: compile_(model, precision), stop or Stop())
        self._dimension = int(self._compiled.output(0).partial_shape[1].get_length())
        # An infer request serves one call at a time. A second call on a busy one raises, or worse,
        # reads the first call's results. So each call takes an idle request, or makes one.
        self._idle = [self._compiled.create_infer_request()]

    def embed(self, inputs: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return unit-norm outputs float32 (n, dim) for the model's only input (n, ...)."""
        if not len(inputs):
            return np.zeros((0, self._dimension), np.float32)
        try:
            request = self._idle.pop()  # atomic, as is `append` below
        except IndexError:
            request = self._compiled.create_infer_request()
        request.infer({0: inputs}, share_inputs=True)
        outputs: npt.NDArray[np.float32] = request.get_output_tensor(0).data
        # Normalised here and not in the model, where bf16 would leave norms that are off by
        # thousandths. The division also copies the outputs, before another call may overwrite them.
        unit: npt.NDArray[np.float32] = outputs / np.linalg.norm(outputs, axis=1, keepdims=True)
        self._idle.append(request)  # not after an error or Ctrl-C: it may still be busy then
        return unit


def _compile_and_keep(model: Path, precision: str) -> Any:
    """Return the compiled model. It is kept in `compiled/image` or `compiled/text`, and loaded from
    there by the next call.
    """
    kept = model.parent / "compiled" / model.stem
    if kept.is_dir():
        return _compile(model, precision, kept)
    try:
        kept.parent.mkdir(exist_ok=True)
        # OpenVINO writes into the place of its cache. The process may be ended meanwhile.
        with unfinished.directory(kept.parent) as aside:
            compiled = _compile(model, precision, aside / "made")
            with suppress(OSError):  # another process was faster
                (aside / "made").rename(kept)
            return compiled
    except OSError:  # nothing can be written there
        return _compile(model, precision)


def _compile(model: Path, precision: str, cache: Path | None = None) -> Any:
    properties = {
        "INFERENCE_PRECISION_HINT": _HINTS.get(precision) or _HINTS[best_precision()],
        "PERFORMANCE_HINT": "LATENCY",  # one call at a time gets all cores
    }
    if cache:
        properties["CACHE_DIR"] = str(cache)
    return import_openvino().Core().compile_model(model, "CPU", properties)


def is_installed() -> bool:
    """Return whether OpenVINO is installed. It has no packages for some platforms."""
    return find_spec("openvino") is not None


def best_precision() -> str:
    """Return the fastest precision here that is not visibly less exact.

    That is "bf16" on a processor that computes in it, else "fp32".
    """
    return (
        "bf16"
        if "BF16" in import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        else "fp32"
    )


def exact_precisions() -> Remedy:
    """Return the advice to use a precision that this processor computes in, other than int8."""
    if best_precision() == "bf16":
        return Remedy("use {} or {}", (Option("precision", "bf16"), Option("precision", "fp32")))
    return Remedy("use {}", (Option("precision", "fp32"),))


def import_openvino() -> ModuleType:
    """Import OpenVINO without its telemetry, which would report every import over the network.

    Nothing may leave this machine.
    """
    absent: Any = None  # an entry of None makes Python treat the module as not installed
    sys.modules.setdefault("openvino_telemetry", absent)
    try:
        return import_module("openvino")
    except ImportError as error:  # its extension turns a Ctrl-C into an ImportError, too
        cause: BaseException | None = error
        while cause and not isinstance(cause, KeyboardInterrupt):
            cause = cause.__cause__ or cause.__context__
        if cause:
            raise KeyboardInterrupt from error
        raise
