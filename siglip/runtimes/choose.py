"""The choice of a runtime: OpenVINO on CPU; torch on a GPU, or where OpenVINO cannot be used."""

import re
import sys
from importlib.util import find_spec
from pathlib import Path

from sigseek.errors import ErrorKind, Option, Remedy
from sigseek.progress import Listener, Stop
from sigseek.siglip.checkpoint import Checkpoint
from sigseek.siglip.errors import CheckpointError
from sigseek.siglip.runtimes import openvino as openvino_runtime
from sigseek.siglip.runtimes.background import run_until_stopped
from sigseek.siglip.runtimes.conversion import CacheError, Photos, convert
from sigseek.siglip.runtimes.openvino import OpenVinoImageTower, OpenVinoTextTower
from sigseek.siglip.towers import ImageTower, TextTower, check_choices


def load_image_tower(
    checkpoint: Checkpoint,
    device: str,
    precision: str,
    photos: Photos,
    listener: Listener,
    stop: Stop,
) -> ImageTower:
    """Load the image tower.

    A device of "auto" is the best one here, a precision of "auto" the best one on that device.
    `photos` is called when an int8 conversion has to be made. `listener` is told of whatever takes
    long or is slower than it could be. Raises CheckpointError for a device or precision that does
    not exist or cannot be used here, and for a conversion that is not exact enough; StoppedError
    soon after `stop` is set.
    """
    check_choices(device, precision)
    stop.check()
    check_device(device, precision, stop)
    if device in ("cuda", "mps") or (device == "auto" and precision != "int8" and _gpu()):
        return _torch_image_tower(checkpoint, device, precision, stop)
    reason = "OpenVINO is not installed"
    if openvino_runtime.is_installed():
        chosen = choose_precision(precision)
        try:
            conversion = convert(checkpoint, chosen, listener, stop, photos)
            return OpenVinoImageTower(conversion / "image.xml", chosen, stop)
        except CacheError as error:
            reason = str(error)
            listener.said(f"warning: {reason}; running on torch, which is slower")
    if precision == "int8":
        raise CheckpointError(
            f"int8 cannot be used: {reason}",
            # torch, which is left then, computes in both on any processor
            Remedy("use {} or {}", (Option("precision", "bf16"), Option("precision", "fp32"))),
            ErrorKind.UNAVAILABLE,
        )
    return _torch_image_tower(checkpoint, "cpu", precision, stop)


def check_device(device: str, precision: str, stop: Stop) -> None:
    """Raise CheckpointError for a GPU that is asked for and that this machine does not have, or
    that does not compute in the precision; StoppedError soon after `stop` is set.
    """
    if device not in ("cuda", "mps"):
        return
    if precision == "int8":
        raise CheckpointError(
            f"int8 runs on the CPU, not on {device}",
            Remedy("use {} or {}", (Option("device", "cpu"), Option("precision", "bf16"))),
            ErrorKind.UNSUPPORTED,
        )

    def choose() -> None:
        from sigseek.siglip.runtimes.torch import choose_device  # brings torch: seconds

        choose_device(device)

    run_until_stopped(choose, stop)


def load_text_tower(
    checkpoint: Checkpoint, device: str, precision: str, listener: Listener, stop: Stop
) -> TextTower:
    """Load the text tower.

    A device of "auto" is the CPU, which has embedded a query before a GPU's runtime is even loaded.
    The text tower is never quantised, because a text costs little: "int8" stands for the best of
    the other precisions. Tells, stops and raises as `load_image_tower` does.
    """
    check_choices(device, precision)
    stop.check()
    precision = "auto" if precision == "int8" else precision
    if device in ("auto", "cpu") and openvino_runtime.is_installed():
        chosen = choose_precision(precision)
        try:
            conversion = convert(checkpoint, chosen, listener, stop)
            return OpenVinoTextTower(conversion / "text.xml", chosen, checkpoint, stop)
        except CacheError as error:
            listener.said(f"warning: {error}; running on torch, which is slower")
    return _torch_text_tower(checkpoint, "cpu" if device == "auto" else device, precision, stop)


def choose_precision(precision: str) -> str:
    """Return the precision for OpenVINO, where "auto" is the best one on this processor.

    Raises CheckpointError for bf16 on a processor that does not compute in it.
    """
    best = openvino_runtime.best_precision()
    if precision == "bf16" and best != "bf16":
        raise CheckpointError(
            "this processor does not compute in bf16",
            Remedy("use {}, or leave it out", (Option("precision", "fp32"),)),
            ErrorKind.UNSUPPORTED,
        )
    return best if precision == "auto" else precision


def _torch_image_tower(
    checkpoint: Checkpoint, device: str, precision: str, stop: Stop
) -> ImageTower:
    def load() -> ImageTower:
        from sigseek.siglip.runtimes.torch import TorchImageTower  # brings torch: seconds

        return TorchImageTower(checkpoint, device, precision)

    return run_until_stopped(load, stop)


def _torch_text_tower(checkpoint: Checkpoint, device: str, precision: str, stop: Stop) -> TextTower:
    def load() -> TextTower:
        from sigseek.siglip.runtimes.torch import TorchTextTower

        return TorchTextTower(checkpoint, device, precision)

    return run_until_stopped(load, stop)


def _gpu() -> bool:
    """Return whether torch finds a GPU.

    A torch that was built without GPUs says so in its version file, which is read first, because
    importing torch takes seconds.
    """
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    version = Path(spec.origin).with_name("version.py")
    built_for_one = re.compile(r"^(cuda|hip)\b[^=]*= *['\"]", re.MULTILINE)
    if (
        sys.platform != "darwin"
        and version.is_file()
        and not built_for_one.search(version.read_text())
    ):
        return False
    from sigseek.siglip.runtimes.torch import choose_device

    return choose_device("auto") != "cpu"
