"""Which runtime a tower gets: OpenVINO on the CPU, torch on a GPU and wherever OpenVINO is not to be had."""

import re
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from sigseek.siglip.checkpoint import Checkpoint
from sigseek.siglip.errors import CheckpointError
from sigseek.siglip.runtimes import openvino as openvino_runtime
from sigseek.siglip.runtimes.conversion import CacheError, Photos, convert
from sigseek.siglip.runtimes.openvino import OpenVinoImageTower, OpenVinoTextTower
from sigseek.siglip.towers import ImageTower, TextTower, check_choices

Announce = Callable[[str], None]


def load_image_tower(
    checkpoint: Checkpoint, device: str, precision: str, announce: Announce, photos: Photos
) -> ImageTower:
    """The image tower, on the best device for `device` "auto" and in the best precision there for
    `precision` "auto".

    `photos` is asked when an int8 conversion has to be made. CheckpointError for what is unknown,
    is not there, or cannot be proven right.
    """
    check_choices(device, precision)
    if device in ("cuda", "mps") or (device == "auto" and precision != "int8" and _gpu()):
        if precision == "int8":
            raise CheckpointError(
                f"int8 runs on the CPU, not on {device}; add --device cpu, or use bf16"
            )
        return _torch_image_tower(checkpoint, device, precision)
    reason = "OpenVINO is not installed"
    if openvino_runtime.is_installed():
        chosen = choose_precision(precision)
        try:
            conversion = convert(checkpoint, chosen, announce, photos)
            return OpenVinoImageTower(conversion / "image.xml", chosen)
        except CacheError as error:
            reason = str(error)
            announce(f"warning: {reason}; running on torch, which is slower")
    if precision == "int8":
        raise CheckpointError(f"int8 cannot be used: {reason}; use bf16 or fp32")
    return _torch_image_tower(checkpoint, "cpu", precision)


def load_text_tower(
    checkpoint: Checkpoint, device: str, precision: str, announce: Announce
) -> TextTower:
    """The text tower, for "auto" on the CPU: a query is embedded there before a GPU's runtime would
    even be loaded.

    It is never quantised, a text costs little: "int8" stands for the best of the other precisions.
    Raises as `load_image_tower` does.
    """
    check_choices(device, precision)
    precision = "auto" if precision == "int8" else precision
    if device in ("auto", "cpu") and openvino_runtime.is_installed():
        chosen = choose_precision(precision)
        try:
            return OpenVinoTextTower(
                convert(checkpoint, chosen, announce) / "text.xml", chosen, checkpoint
            )
        except CacheError as error:
            announce(f"warning: {error}; running on torch, which is slower")
    from sigseek.siglip.runtimes.torch import TorchTextTower

    return TorchTextTower(checkpoint, "cpu" if device == "auto" else device, precision)


def choose_precision(precision: str) -> str:
    """What "auto" means on this processor, where OpenVINO is; CheckpointError for bf16 where it
    cannot be computed in.
    """
    best = openvino_runtime.best_precision()
    if precision == "bf16" and best != "bf16":
        raise CheckpointError(
            "this processor does not compute in bf16; use --precision fp32, or leave it out"
        )
    return best if precision == "auto" else precision


def _torch_image_tower(checkpoint: Checkpoint, device: str, precision: str) -> ImageTower:
    from sigseek.siglip.runtimes.torch import TorchImageTower  # seconds of imports

    return TorchImageTower(checkpoint, device, precision)


def _gpu() -> bool:
    """Whether torch finds a GPU. A torch built without any is told by its version file: importing
    it takes seconds.
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
