"""Completion of queries while a library changes."""

import shutil
import time
from pathlib import Path

import pytest

import sigseek
from sigseek.operations import completion_values


def photos_of(library: sigseek.Library, typed: str) -> dict[str, int | None]:
    return {one.label: one.photos for one in library.complete(typed).suggestions}


def test_values_that_are_quick_to_count_are_always_new(mini_library: Path, tmp_path: Path) -> None:
    with sigseek.open(shutil.copytree(mini_library, tmp_path / "library")) as library:
        assert photos_of(library, "tag:") == {}
        library.add_tag("mine", [1])
        assert photos_of(library, "tag:m") == {"mine": 1}


def test_values_that_are_slow_to_count_are_renewed_in_the_background(
    mini_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completion_values, "_SLOW", -1.0)
    monkeypatch.setattr(completion_values, "_SHARE", 0)
    with sigseek.open(shutil.copytree(mini_library, tmp_path / "library")) as library:
        library.complete("tag")  # they begin to be counted, as they are likely to be asked for
        assert photos_of(library, "tag:") == {}
        library.add_tag("mine", [1])
        assert photos_of(library, "tag:") == {}, "those of before come at once"
        deadline = time.monotonic() + 30
        while not photos_of(library, "tag:") and time.monotonic() < deadline:
            time.sleep(0.01)
        assert photos_of(library, "tag:") == {"mine": 1}
        monkeypatch.setattr(completion_values, "_SHARE", 1e9)
        library.add_tag("other", [1])
        while time.monotonic() < deadline and len(photos_of(library, "tag:")) < 2:
            time.sleep(0.01)
        library.add_tag("third", [1])
        assert set(photos_of(library, "tag:")) == {"mine", "other"}, "it was counted just now"
