"""Conversions of a checkpoint for OpenVINO: made once, by a process of their own, proven, and kept in the user's cache.

A conversion is a directory with a model for each tower and `manifest.json`, which is written last: what it does not
describe to the byte is not used. Nothing here imports torch or transformers; the process in `sigseek.siglip.runtimes.export` does.
"""

import contextlib
import hashlib
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sigseek.siglip.cache import cache_directory
from sigseek.siglip.checkpoint import Checkpoint
from sigseek.siglip.errors import CheckpointError
from sigseek.siglip.runtimes.openvino import import_openvino

VERSION = 1
"""Counted up when the same checkpoint would be converted differently."""

Photos = Callable[[], npt.NDArray[np.uint8]]
"""Gives pixels uint8 (n, height, width, 3) of the user's own photos."""

LEAST_PHOTOS, MOST_PHOTOS = 40, 200
"""How many of them an int8 conversion needs, and how many it makes use of."""

_converting = threading.Lock()
"""Held while a conversion is made: two threads that load the two towers need the same one."""

_ABANDONED = 3600  # seconds without a change
_WEIGHT_BYTES = 4  # of a value, in a checkpoint of fp32
_STORED_BYTES = {
    "fp32": 8,
    "bf16": 4,
    "int8": 4,
}  # of a value, the compiled model beside it included


class CacheError(Exception):
    """The cache cannot take a conversion, or the conversion cannot be made. The message says why,
    in one line.
    """


@dataclass(frozen=True)
class Job:
    """What the converting process is told."""

    checkpoint: Checkpoint
    precision: str
    target: Path
    photos: npt.NDArray[np.uint8] | None
    """For int8: pixels (n, height, width, 3) of the user's own photos, to learn the value ranges
    from and to be judged by.
    """


def find_conversion(checkpoint: Checkpoint, precision: str) -> Path | None:
    """The directory of a whole conversion by the OpenVINO that is installed, if there is one."""
    directory = _directory(checkpoint, precision)
    return directory if _is_whole(directory) else None


def convert(
    checkpoint: Checkpoint,
    precision: str,
    announce: Callable[[str], None],
    photos: Photos = lambda: np.zeros(0, np.uint8),
) -> Path:
    """The directory of the checkpoint's conversion, made now unless it is there.

    `announce` is told what takes long; `photos` gives an int8 conversion what it learns from.
    Raises CheckpointError when the conversion does not agree with the reference, CacheError when
    there is no place for it or it cannot be made.
    """
    with _converting:
        return find_conversion(checkpoint, precision) or _convert(
            checkpoint, precision, announce, photos
        )


def _convert(
    checkpoint: Checkpoint, precision: str, announce: Callable[[str], None], photos: Photos
) -> Path:
    directory = _directory(checkpoint, precision)
    others = [
        path for path in directory.parent.glob(f"{_stem(checkpoint, precision)}-*") if path.is_dir()
    ]
    note = ""
    if directory in others:
        note = " (the one in the cache is damaged)"
    elif others:
        note = " (the one in the cache is another OpenVINO's)"
    sample = _sample(photos) if precision == "int8" else None
    announce(f"preparing {checkpoint.name} in {precision} for this machine, once{note}")
    try:
        _check_room(checkpoint, precision, directory.parent)
        _clear_away(directory.parent)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=directory.parent) as aside:
            made = Path(aside, "made")
            made.mkdir()
            facts = _run(Job(checkpoint, precision, made, sample))
            _write_manifest(made, facts)
            for path in others:
                shutil.rmtree(path, ignore_errors=True)
            with contextlib.suppress(
                OSError
            ):  # another process was faster: then its conversion is there
                made.rename(directory)
    except OSError as error:
        raise CacheError(
            f"{directory.parent} cannot take the conversion ({error.strerror or error})"
        ) from error
    if not _is_whole(directory):
        raise CacheError(f"{directory} cannot be replaced; remove it")
    if "fidelity" in facts:
        announce(f"{precision}: {facts['fidelity']}")
    return directory


def _sample(photos: Photos) -> npt.NDArray[np.uint8]:
    if find_spec("nncf") is None:
        raise CheckpointError(
            "int8 needs NNCF to prepare it; install it with: pip install 'sigseek[int8]'"
        )
    sample = photos()
    if len(sample) < LEAST_PHOTOS:
        raise CheckpointError(
            f"int8 is fitted to your own photos, {LEAST_PHOTOS} or more, and {len(sample)} were found; use bf16 or fp32"
        )
    return sample


def _directory(checkpoint: Checkpoint, precision: str) -> Path:
    version = str(import_openvino().__version__).split("-")[0]
    return cache_directory() / "openvino" / f"{_stem(checkpoint, precision)}-{version}"


def _stem(checkpoint: Checkpoint, precision: str) -> str:
    """A directory name that tells a person what it is, and that any change of what is computed
    changes.
    """
    content = [
        VERSION,
        checkpoint.fingerprint,
        checkpoint.preprocessing.fingerprint,
        checkpoint.text_length,
    ]
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
    name = re.sub(r"[^\w.]+", "-", Path(checkpoint.name).name).strip("-.") or "checkpoint"
    return f"{name}-{digest}-{precision}"


def _check_room(checkpoint: Checkpoint, precision: str, place: Path) -> None:
    """CacheError when the disk has clearly too little room."""
    place.mkdir(parents=True, exist_ok=True)
    weights = sum(path.stat().st_size for path in checkpoint.directory.glob("*.safetensors"))
    needed = weights // _WEIGHT_BYTES * _STORED_BYTES[precision]
    free = shutil.disk_usage(place).free
    if free < needed:
        raise CacheError(
            f"{place} has {free / 1e6:,.0f} MB free and the conversion takes {needed / 1e6:,.0f} MB"
        )


def _clear_away(place: Path) -> None:
    """Remove what processes that were killed left half made."""
    for path in place.glob(".making-*"):
        if time.time() - path.stat().st_mtime > _ABANDONED:
            shutil.rmtree(path, ignore_errors=True)


def _run(job: Job) -> dict[str, Any]:
    """Have a process of its own do the job: it takes torch, seconds of imports and gigabytes, none
    of which stay with us.
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "sigseek.siglip.runtimes.export"],
        input=pickle.dumps(job),
        capture_output=True,
        env=environment,
        check=False,
    )
    try:
        facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or [
            f"status {done.returncode}"
        ]
        raise CacheError(
            f"{job.checkpoint.name} cannot be converted for OpenVINO ({last[0]})"
        ) from None
    if "refused" in facts:
        raise CheckpointError(facts["refused"])
    return facts


def _write_manifest(directory: Path, facts: dict[str, Any]) -> None:
    sizes = {path.name: path.stat().st_size for path in directory.iterdir()}
    for name in sizes:
        with (directory / name).open("rb") as file:
            os.fsync(file.fileno())
    (directory / "manifest.json").write_text(json.dumps({"sizes": sizes} | facts, indent=2) + "\n")


def _is_whole(directory: Path) -> bool:
    """Whether the files are there as they were written."""
    try:
        sizes = json.loads((directory / "manifest.json").read_text())["sizes"]
        return all((directory / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
