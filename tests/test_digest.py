import hashlib
import json
import os
import stat
from pathlib import Path

import pytest

from sigseek.siglip import digest as digest_module
from sigseek.siglip.cache import cache_directory
from sigseek.siglip.digest import file_digest

SIZE = 40_000_000


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache for each test."""
    monkeypatch.setenv("SIGSEEK_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A file large enough to be remembered, last changed long ago."""
    path = tmp_path / "model.safetensors"
    with path.open("wb") as file:
        file.truncate(SIZE)
    os.utime(path, ns=(10**18, 10**18))
    return path


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files whose bytes were read, in order."""
    seen: list[Path] = []
    real = digest_module._computed

    def computed(path: Path) -> str:
        seen.append(path)
        return real(path)

    monkeypatch.setattr(digest_module, "_computed", computed)
    return seen


def expected(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def remembered() -> dict[str, list[object]]:
    return json.loads((cache_directory() / "digests.json").read_text())  # type: ignore[no-any-return]


def overwrite(path: Path, at: int = 10**18) -> None:
    """Other contents of the same size in the same file."""
    with path.open("r+b") as file:
        file.write(b"changed")
    os.utime(path, ns=(at, at))


def test_a_large_file_is_read_once(weights: Path, hashed: list[Path]) -> None:
    assert [file_digest(weights), file_digest(weights)] == [expected(weights)] * 2
    assert hashed == [weights]


def test_a_changed_file_gets_a_new_digest(weights: Path) -> None:
    before = file_digest(weights)
    overwrite(weights, at=10**18 + 1)
    assert file_digest(weights) == expected(weights) != before
    replacement = weights.with_name("other")
    replacement.write_bytes(b"x" * SIZE)
    os.utime(replacement, ns=(10**18 + 1, 10**18 + 1))
    replacement.replace(weights)
    assert file_digest(weights) == expected(weights), "of the same size and time, but another file"
    with weights.open("ab") as file:
        file.write(b"more")
    os.utime(weights, ns=(10**18 + 1, 10**18 + 1))
    assert file_digest(weights) == expected(weights)


def test_a_file_that_changed_this_moment_is_not_remembered(
    weights: Path, hashed: list[Path]
) -> None:
    os.utime(weights)
    file_digest(weights)
    file_digest(weights)
    assert len(hashed) == 2
    assert not cache_directory().exists()


def test_a_small_file_is_not_remembered(tmp_path: Path) -> None:
    path = tmp_path / "small"
    path.write_bytes(b"x")
    os.utime(path, ns=(10**18, 10**18))
    assert file_digest(path) == expected(path)
    assert not cache_directory().exists()


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '{"%s": 1}', '{"%s": ["a", 2, 3]}', '{"%s": [1, 2, 3, 4]}', "\udcff"],
)
def test_a_damaged_cache_is_ignored_and_mended(weights: Path, content: str) -> None:
    cache_directory().mkdir(parents=True)
    text = content.replace("%s", str(weights))
    (cache_directory() / "digests.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert file_digest(weights) == expected(weights)
    assert remembered()[str(weights)][-1] == expected(weights)


def test_an_unwritable_cache_is_no_obstacle(
    weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a file"))
    assert file_digest(weights) == expected(weights)


def test_a_directory_that_may_not_be_written(
    ordinary_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = ordinary_folder / "cache"
    cache.mkdir()
    cache.chmod(stat.S_IRUSR | stat.S_IXUSR)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    path = ordinary_folder / "weights"
    path.write_bytes(b"x" * SIZE)
    os.utime(path, ns=(10**18, 10**18))
    assert file_digest(path) == expected(path)
    assert list(cache.iterdir()) == []


def test_the_hubs_large_files_are_named_by_their_digest(tmp_path: Path, hashed: list[Path]) -> None:
    blob = tmp_path / ("ab" * 32)
    blob.write_bytes(b"x")
    (tmp_path / "model.safetensors").symlink_to(blob)
    assert file_digest(tmp_path / "model.safetensors") == "ab" * 32
    assert hashed == []


def test_several_files_are_remembered_side_by_side(weights: Path, hashed: list[Path]) -> None:
    other = weights.with_name(os.fsdecode(b"caf\xe9.safetensors"))
    other.write_bytes(b"y" * SIZE)
    os.utime(other, ns=(10**18, 10**18))
    digests = [file_digest(path) for path in (weights, other)]
    assert (
        [file_digest(path) for path in (weights, other)]
        == digests
        == [expected(weights), expected(other)]
    )
    assert hashed == [weights, other]
    assert [path.name for path in cache_directory().iterdir()] == ["digests.json"]
