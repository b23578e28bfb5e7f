"""Conversions of a checkpoint for OpenVINO, made once, proven, and kept in the user's cache.

A conversion is a directory with a model for each tower and `manifest.json`. The manifest is written
last and gives the files' sizes; a conversion that differs from it is not used. Nothing here imports
torch or transformers: another process, `sigseek.siglip.runtimes.export`, makes the conversion.
"""

import base64
import contextlib
import hashlib
import json
import os
import pickle
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sigseek.errors import ErrorKind, StoppedError
from sigseek.progress import Listener, Stop
from sigseek.siglip.cache import cache_directory
from sigseek.siglip.checkpoint import Checkpoint
from sigseek.siglip.errors import CheckpointError
from sigseek.siglip.processes import command, environment
from sigseek.siglip.runtimes import unfinished
from sigseek.siglip.runtimes.openvino import exact_precisions, import_openvino

VERSION = 2
"""The version of the conversion; raised whenever the same checkpoint is converted differently."""

Photos = Callable[[], npt.NDArray[np.uint8]]
"""Returns pixels uint8 (n, height, width, 3) of the user's own photos."""

LEAST_PHOTOS, MOST_PHOTOS = 40, 200
"""The number of photos that an int8 conversion needs, and the number that it can use."""

_LOOK = 0.1
"""Seconds between two looks at whether to stop, while another process converts."""

_converting = threading.Lock()
"""Held while a conversion is made: two threads that load the two towers need the same one."""

_WEIGHT_BYTES = 4
"""Bytes of a value in a checkpoint of fp32."""
_STORED_BYTES = {"fp32": 8, "bf16": 4, "int8": 4}
"""Bytes of a value in a conversion, the compiled model beside it included."""


class CacheError(Exception):
    """The conversion cannot be made, or the cache cannot hold it. The message says why."""


@dataclass(frozen=True)
class Job:
    """The order to the converting process."""

    checkpoint: Checkpoint
    precision: str
    target: Path
    photos: npt.NDArray[np.uint8] | None
    """Pixels (n, height, width, 3) of the user's own photos, for int8 only.

    Some of them are to learn the ranges of values from, the others to measure the result on.
    """


def find_conversion(checkpoint: Checkpoint, precision: str) -> Path | None:
    """Return the directory of a complete conversion by the installed OpenVINO, if there is one.

    It may have been made for the same checkpoint by another name: one revision, or a copy.
    """
    directory = _directory(checkpoint, precision)
    ending = directory.name.removeprefix(_name(checkpoint))
    for made in (directory, *directory.parent.glob(f"*{ending}")):
        if _is_whole(made):
            return made
    return None


def convert(
    checkpoint: Checkpoint,
    precision: str,
    listener: Listener,
    stop: Stop,
    photos: Photos = lambda: np.zeros(0, np.uint8),
) -> Path:
    """Return the directory of the checkpoint's conversion, which is made now unless it exists.

    `listener` is told before it is made; `photos` gives photos for an int8 conversion. Raises
    CheckpointError when the conversion does not agree with transformers, CacheError when it cannot
    be made or the cache cannot hold it. When `stop` is set, the converting process is ended and
    StoppedError is raised. A Ctrl-C lets it finish the tower or the proof that is under way, which
    takes some seconds, and a second one ends it. What is finished by then is not made again.
    """
    with stop.holding(_converting):
        return find_conversion(checkpoint, precision) or _convert(
            checkpoint, precision, listener, stop, photos
        )


def _convert(
    checkpoint: Checkpoint, precision: str, listener: Listener, stop: Stop, photos: Photos
) -> Path:
    directory = _directory(checkpoint, precision)
    others = [
        path for path in directory.parent.glob(f"{_stem(checkpoint, precision)}-*") if path.is_dir()
    ]
    note = ""
    if directory in others:
        note = " (the one in the cache is damaged)"
    elif others:
        note = " (the one in the cache is for another version of OpenVINO)"
    sample = _sample(photos) if precision == "int8" else None
    listener.said(f"preparing {checkpoint.name} in {precision} for this machine, once{note}")
    try:
        _check_room(checkpoint, precision, directory.parent)
        with unfinished.directory(directory.parent) as aside:
            made = aside / "made"
            finished = directory.with_name(f"{unfinished.STOPPED}{directory.name}")
            if not _take(finished, made):
                made.mkdir()
            try:
                facts, interrupted = _run(Job(checkpoint, precision, made, sample), listener, stop)
            except (StoppedError, KeyboardInterrupt):
                if precision != "int8":
                    _keep_finished_towers(made, finished)
                raise
            _write_manifest(made, facts)
            for path in others:
                shutil.rmtree(path, ignore_errors=True)
            # This fails when another process was faster; then that one's conversion is used.
            with contextlib.suppress(OSError):
                made.rename(directory)
    except OSError as error:
        raise CacheError(
            f"{directory.parent} cannot hold the conversion ({error.strerror or error})"
        ) from error
    if not _is_whole(directory):
        raise CacheError(f"the damaged conversion {directory} cannot be replaced")
    if interrupted:
        raise KeyboardInterrupt
    if "fidelity" in facts:
        listener.said(f"{precision}: {facts['fidelity']}")
    return directory


def _sample(photos: Photos) -> npt.NDArray[np.uint8]:
    if find_spec("nncf") is None:
        raise CheckpointError(
            "an int8 conversion needs NNCF, which is not installed",
            "install it with: pip install 'sigseek[int8]'",
            ErrorKind.UNAVAILABLE,
        )
    sample = photos()
    if len(sample) < LEAST_PHOTOS:
        raise CheckpointError(
            f"int8 is fitted to at least {LEAST_PHOTOS} of your own photos, "
            f"and {len(sample)} were found",
            exact_precisions(),
        )
    return sample


def _directory(checkpoint: Checkpoint, precision: str) -> Path:
    version = str(import_openvino().__version__).split("-")[0]
    return cache_directory() / "openvino" / f"{_stem(checkpoint, precision)}-{version}"


def _stem(checkpoint: Checkpoint, precision: str) -> str:
    """Return a directory name that begins with the checkpoint's name. What follows the name changes
    with everything that changes the conversion.
    """
    content = [
        VERSION,
        checkpoint.fingerprint,
        checkpoint.preprocessing.fingerprint,
        checkpoint.text_length,
    ]
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
    return f"{_name(checkpoint)}-{digest}-{precision}"


def _name(checkpoint: Checkpoint) -> str:
    return re.sub(r"[^\w.]+", "-", Path(checkpoint.name).name).strip("-.") or "checkpoint"


def _check_room(checkpoint: Checkpoint, precision: str, place: Path) -> None:
    """Raise CacheError when the disk clearly has too little room."""
    place.mkdir(parents=True, exist_ok=True)
    weights = sum(path.stat().st_size for path in checkpoint.directory.glob("*.safetensors"))
    needed = weights // _WEIGHT_BYTES * _STORED_BYTES[precision]
    free = shutil.disk_usage(place).free
    if free < needed:
        raise CacheError(
            f"{place} has {free / 1e6:,.0f} MB free and the conversion needs {needed / 1e6:,.0f} MB"
        )


def _take(finished: Path, made: Path) -> bool:
    """Make what a conversion that was stopped has left the beginning of a new one. Returns False
    where there is nothing.
    """
    try:
        finished.rename(made)
    except FileNotFoundError:
        return False
    return True


def _keep_finished_towers(made: Path, finished: Path) -> None:
    """Move the towers that are whole to the directory `finished`."""
    for path in made.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif not path.with_suffix(".xml").exists():
            path.unlink()
    # This fails when another process keeps its own.
    with contextlib.suppress(OSError):
        if any(made.iterdir()):
            made.rename(finished)
            os.utime(finished)


def _run(job: Job, listener: Listener, stop: Stop) -> tuple[dict[str, Any], bool]:
    """Run the job in another process, and return what it says of the conversion. Returns also
    whether there was a Ctrl-C after which only the last step was left to finish.

    The job needs torch: seconds of imports, and gigabytes that this process would keep.
    """
    # A file and no pipe: communicate() with a limit of time may leave a part of its input unsent.
    with tempfile.TemporaryFile() as order:
        pickle.dump(job, order)
        order.seek(0)
        process = subprocess.Popen(
            command("sigseek.siglip.runtimes.export"),
            stdin=order,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        answer, complaints, interrupted = _answer(process, job, listener, stop)
    if interrupted and not answer:
        raise KeyboardInterrupt
    try:
        facts: dict[str, Any] = json.loads(answer.splitlines()[-1])
    except (IndexError, ValueError):
        last = complaints.decode(errors="replace").strip().splitlines()[-1:] or [
            f"status {process.returncode}"
        ]
        raise CacheError(
            f"{job.checkpoint.name} cannot be converted for OpenVINO ({last[0]})"
        ) from None
    if "refused" in facts:
        refusal: CheckpointError = pickle.loads(base64.b64decode(facts["refused"]))
        raise refusal
    return facts, interrupted


def _answer(
    process: subprocess.Popen[bytes], job: Job, listener: Listener, stop: Stop
) -> tuple[bytes, bytes, bool]:
    """Return what the process writes to stdout and stderr until it ends, and whether there was a
    Ctrl-C meanwhile.

    The first Ctrl-C only asks the process to end after the step under way. A second one kills it,
    as `stop` does. An int8 conversion is not waited for, because nearly all of it is one step.
    """
    interrupted = False
    with process:
        try:
            while True:
                try:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        return *process.communicate(timeout=_LOOK), interrupted
                    stop.check()
                except KeyboardInterrupt:
                    if interrupted or job.precision == "int8":
                        raise
                    interrupted = True
                    listener.said("finishing the step under way; Ctrl-C again stops at once")
                    process.terminate()
        except BaseException:
            process.kill()
            process.wait()  # after a Ctrl-C, `with` would not wait
            raise


def _write_manifest(directory: Path, facts: dict[str, Any]) -> None:
    sizes = {path.name: path.stat().st_size for path in directory.iterdir()}
    for name in sizes:
        with (directory / name).open("rb") as file:
            os.fsync(file.fileno())
    (directory / "manifest.json").write_text(json.dumps({"sizes": sizes} | facts, indent=2) + "\n")


def _is_whole(directory: Path) -> bool:
    """Return whether all files have the sizes that the manifest gives."""
    try:
        sizes = json.loads((directory / "manifest.json").read_text())["sizes"]
        return all((directory / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
