"""Conversions in this process. The program has another process make them, which imports torch and
transformers first. That takes longer than the conversion of a small checkpoint.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sigseek.progress import Listener, Silence, Stop
from sigseek.siglip.checkpoint import read_checkpoint
from sigseek.siglip.runtimes import conversion, openvino
from tests.checkpoints import save_tiny
from tests.torch_threads import one_torch_thread


@contextmanager
def converting_here() -> Iterator[None]:
    """Have this process make the conversions that are asked for in a `with` statement."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conversion, "_run", _run)
        yield


def save_converted_tiny(target: Path, seed: int = 0) -> Path:
    """Save a random checkpoint, and convert it now for the commands that use it."""
    directory = save_tiny(target, seed)
    checkpoint = read_checkpoint(directory, str(directory))
    with converting_here():
        conversion.convert(checkpoint, openvino.best_precision(), Silence(), Stop())
    return directory


def _run(job: conversion.Job, listener: Listener, stop: Stop) -> tuple[dict[str, Any], bool]:
    from sigseek.siglip.runtimes import export

    never = cast(export._End, SimpleNamespace(asked=False))
    with warnings.catch_warnings(), one_torch_thread():
        warnings.simplefilter("ignore")  # as in the process that converts
        facts = export._convert(job, never)
    assert facts is not None
    return facts, False
