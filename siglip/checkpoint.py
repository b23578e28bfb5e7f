"""A SigLIP checkpoint on disk: found, checked and described, without torch or transformers.

Every value is read from the checkpoint's own files. A value that `config.json` leaves out is
SiglipConfig's default.
"""

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sigseek.errors import ErrorKind, Option, Remedy
from sigseek.paths import typed_path
from sigseek.progress import Listener, Silence, Stop
from sigseek.siglip.digest import file_digest
from sigseek.siglip.errors import FETCH_AGAIN, CheckpointError
from sigseek.siglip.hub import download, is_hub_id
from sigseek.siglip.names import DEFAULT, MINI
from sigseek.siglip.preprocessing import Preprocessing
from sigseek.siglip.scoring import Scoring
from sigseek.siglip.weights import read_number, read_tensors

MINI_DIRECTORY = Path(__file__).parent / "mini"

_NAME_ONE = Remedy(
    f"give {{}} a checkpoint directory, a hub id such as {DEFAULT}, or 'mini'", (Option("model"),)
)

_VISION_DEFAULTS = {"hidden_size": 768, "image_size": 224}
_TEXT_DEFAULTS = {"hidden_size": 768, "max_position_embeddings": 64}
_SCALARS = ("logit_scale", "logit_bias")
_TOWERS = ("vision_model.", "text_model.")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint as its files describe it, before its towers are loaded."""

    name: str
    """The name to load it by: `mini`, a hub id, or an absolute directory."""
    directory: Path
    fingerprint: str
    """SHA-256 (hex) of the SHA-256 digests of its weight files."""
    dimension: int
    preprocessing: Preprocessing
    text_length: int
    """Tokens of a text. Every text is padded or cut to exactly this many, as in training."""
    scoring: Scoring


def load_checkpoint(
    name: str, listener: Listener | None = None, stop: Stop | None = None
) -> Checkpoint:
    """Load the checkpoint called `name`.

    A name is `mini`, a local directory, or a hub id, with `@REVISION` for one revision. A hub
    checkpoint that is not cached is downloaded; `listener` is told its size first. Raises
    CheckpointError when it cannot be found or read, is of another family, or is incomplete, and
    StoppedError when `stop` is set during the download.
    """
    if name == MINI:
        return read_checkpoint(MINI_DIRECTORY, MINI)
    directory = typed_path(name)
    if directory.is_dir():
        return read_checkpoint(directory.resolve(), str(directory.resolve()))
    if directory.is_file():
        raise CheckpointError(f"{directory} is a file", _NAME_ONE)
    if not is_hub_id(name):
        raise CheckpointError(
            f"'{name}' is neither a directory nor a hub id", _NAME_ONE, ErrorKind.NOT_FOUND
        )
    return read_checkpoint(download(name, listener or Silence(), stop or Stop()), name)


def read_checkpoint(directory: Path, name: str) -> Checkpoint:
    """Read the checkpoint in `directory`.

    Raises CheckpointError unless it is a complete fixed-resolution SigLIP checkpoint.
    """
    try:
        return _described(directory, name)
    except OSError as error:
        raise CheckpointError(
            f"the checkpoint in {directory} cannot be read ({error.strerror or error})",
            "check its permissions and the disk",
            ErrorKind.UNAVAILABLE,
        ) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"the configuration in {directory} is not that of a SigLIP checkpoint ({error})",
            FETCH_AGAIN,
            ErrorKind.DAMAGED,
        ) from error


def shipped_calibration(checkpoint: Checkpoint) -> str | None:
    """Return the calibration among the checkpoint's files as JSON. Only mini has one so far."""
    path = checkpoint.directory / "calibration.json"
    # What is not UTF-8 is replaced: it is not a calibration either, as its reader will say.
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None


def _described(directory: Path, name: str) -> Checkpoint:
    config = _read_json(directory / "config.json")
    check_family(config, name)
    vision = _VISION_DEFAULTS | (config.get("vision_config") or {})
    text = _TEXT_DEFAULTS | (config.get("text_config") or {})
    preprocessing = _read_preprocessing(directory)
    if {preprocessing.height, preprocessing.width} != {vision["image_size"]}:
        raise CheckpointError(
            f"{directory} resizes pictures to {preprocessing.width}x{preprocessing.height}, but "
            f"its image tower takes {vision['image_size']}x{vision['image_size']}",
            FETCH_AGAIN,
            ErrorKind.DAMAGED,
        )
    if not any((directory / file).is_file() for file in ("spiece.model", "tokenizer.json")):
        raise CheckpointError(
            f"{directory} has no tokenizer (spiece.model or tokenizer.json)",
            FETCH_AGAIN,
            ErrorKind.DAMAGED,
        )
    weights = _weight_files(directory)
    digest = hashlib.sha256("".join(file_digest(path) for path in weights).encode())
    return Checkpoint(
        name=name,
        directory=directory,
        fingerprint=digest.hexdigest(),
        dimension=int(vision["hidden_size"]),
        preprocessing=preprocessing,
        text_length=int(text["max_position_embeddings"]),
        scoring=_read_scoring(weights, directory),
    )


def check_family(config: dict[str, Any], name: str) -> None:
    """Raise CheckpointError unless `config` is of a fixed-resolution SigLIP or SigLIP 2."""
    family = config.get("model_type")
    if family == "siglip2":
        raise CheckpointError(
            f"{name} is a NaFlex checkpoint (model_type siglip2), which sigseek cannot use yet",
            "use a fixed-resolution one such as google/siglip2-base-patch16-224",
            ErrorKind.UNSUPPORTED,
        )
    if family != "siglip":
        found = f"of the family '{family}'" if family else "of no named family"
        raise CheckpointError(
            f"{name} is a checkpoint {found}, not SigLIP",
            f"use one such as {DEFAULT}",
            ErrorKind.UNSUPPORTED,
        )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path.parent} has no {path.name}, so it is not a checkpoint", _NAME_ONE
        ) from error
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} cannot be read ({error})", FETCH_AGAIN, ErrorKind.DAMAGED
        ) from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} is not a JSON object", FETCH_AGAIN, ErrorKind.DAMAGED)
    return value


def _read_preprocessing(directory: Path) -> Preprocessing:
    """Read `processor_config.json` (transformers 5) or `preprocessor_config.json` (older)."""
    combined = directory / "processor_config.json"
    if combined.is_file() and "image_processor" in (config := _read_json(combined)):
        return Preprocessing.from_config(config["image_processor"], str(combined))
    single = directory / "preprocessor_config.json"
    if not single.is_file():
        raise CheckpointError(
            f"{directory} has no preprocessor_config.json or processor_config.json",
            FETCH_AGAIN,
            ErrorKind.DAMAGED,
        )
    return Preprocessing.from_config(_read_json(single), str(single))


def _weight_files(directory: Path) -> list[Path]:
    index = directory / "model.safetensors.index.json"
    names = (
        sorted(set(_read_json(index).get("weight_map", {}).values()))
        if index.is_file()
        else ["model.safetensors"]
    )
    missing = [name for name in names if not (directory / name).is_file()]
    if not names or missing:
        pickled = sorted(path.name for path in directory.glob("*.bin"))
        found = (
            f"only {pickled[0]}, a pickle, which can run code"
            if pickled
            else f"no {(missing or names or ['weights'])[0]}"
        )
        raise CheckpointError(
            f"{directory} has {found}",
            "use a checkpoint whose weights are complete and in safetensors files",
            ErrorKind.UNSUPPORTED if pickled else ErrorKind.DAMAGED,
        )
    return [directory / name for name in names]


def _read_scoring(weights: list[Path], directory: Path) -> Scoring:
    found: dict[str, float] = {}
    towers: set[str] = set()
    for path in weights:
        try:
            tensors = read_tensors(path)
            scalars = {key: tensors[key] for key in _SCALARS if key in tensors}
            if any(tensor.dtype == "BF16" for tensor in scalars.values()):
                raise CheckpointError(
                    f"{path} has {', '.join(scalars)} in bfloat16",
                    "save the checkpoint in float32",
                    ErrorKind.UNSUPPORTED,
                )
            found |= {key: read_number(path, tensor) for key, tensor in scalars.items()}
            for key in scalars:
                if not math.isfinite(found[key]):
                    raise ValueError(f"{key} is {found[key]}")
        except (ValueError, OSError) as error:
            raise CheckpointError(
                f"{path} is damaged ({error})", FETCH_AGAIN, ErrorKind.DAMAGED
            ) from error
        towers |= {tower for tower in _TOWERS for key in tensors if key.startswith(tower)}
    missing = [key for key in (*_TOWERS, *_SCALARS) if key not in found and key not in towers]
    if missing:
        raise CheckpointError(
            f"{directory} lacks {missing[0].rstrip('.')}, so the checkpoint is incomplete",
            FETCH_AGAIN,
            ErrorKind.DAMAGED,
        )
    return Scoring(found["logit_scale"], found["logit_bias"])
