"""What is built holds every room and works elsewhere; a checkout without links builds the same."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

ROOMS = ("indexer", "search", "siglip", "storage")
TRAINING = "sigseek/demo/training/"
WHOLE_REPOSITORY = shutil.ignore_patterns("__pycache__", ".*", "tests", "demo-photos")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it."""
    return build(ROOT, tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, drawn: Path) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for photo in sorted(drawn.glob("*.jpg"))[:4]:
        shutil.copy(photo, folder)
    return folder


def build(source: Path, out: Path, *options: str) -> Path:
    command = [sys.executable, "-m", "build", "--no-isolation", *options, "--outdir", out, source]
    subprocess.run(command, capture_output=True, check=True)
    return out


def files_of_wheel(folder: Path) -> set[str]:
    (wheel,) = folder.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    return {name for name in names if ".dist-info/" not in name}


def expected_files() -> set[str]:
    """Return the files of the repository, by their places in the wheel."""
    places = {room: f"sigseek/{room}" for room in ROOMS}
    places |= {"sigseek": "sigseek", "alembic": "sigseek/storage/migrations"}
    files = set()
    for folder, place in places.items():
        for path in (ROOT / folder).rglob("*"):  # which does not follow the links in `sigseek`
            if path.is_file() and "__pycache__" not in path.parts:
                files.add(f"{place}/{path.relative_to(ROOT / folder).as_posix()}")
    return {name for name in files if not name.startswith(TRAINING)}


def test_the_wheel_holds_every_room_once(built: Path) -> None:
    files = files_of_wheel(built)
    assert files == expected_files()
    assert "sigseek/storage/migrations/versions/0001_first_schema.py" in files
    assert "sigseek/siglip/mini/model.safetensors" in files
    (wheel,) = built.glob("*.whl")
    assert wheel.stat().st_size < 15e6


def test_the_sdist_is_laid_out_like_the_repository(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert names >= {"README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml", "search/parse.py"}
    assert not [name for name in names if name.startswith((TRAINING, "sigseek/search", "tests"))]


def test_the_wheel_installs_and_works(built: Path, tmp_path: Path, photos: Path) -> None:
    (wheel,) = built.glob("*.whl")
    python = environment_with(wheel, tmp_path / "env")
    program = "import sigseek.library as s, sigseek.storage as t; print(s.__file__, t.__file__)"
    where = output(tmp_path, [python, "-c", program])
    assert str(ROOT) not in where.replace(str(tmp_path), "")
    use(tmp_path, [python.parent / "sigseek"], photos)


def environment_with(wheel: Path, directory: Path) -> Path:
    """Make a virtual environment in which the wheel is installed, and return its Python."""
    venv.create(directory, symlinks=True)
    python = directory / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install"]
    subprocess.run([*pip, "--no-deps", "--no-index", "--quiet", wheel], check=True)
    # The dependencies are gigabytes: they come from this environment, but nothing of this checkout
    # does.
    here = output(directory, [python, "-c", "import site; print(site.getsitepackages()[0])"])
    dependencies = [path for path in sys.path if path.endswith("site-packages")]
    (Path(here.strip()) / "dependencies.pth").write_text("\n".join(dependencies) + "\n")
    return python


def test_a_checkout_without_links_builds_and_works(
    built: Path, tmp_path: Path, photos: Path
) -> None:
    """On Windows git checks out a text file with the link's target in the place of each link."""
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT, checkout, symlinks=True, ignore=WHOLE_REPOSITORY)
    for room in ROOMS:
        link = checkout / "sigseek" / room
        target = os.readlink(link)
        link.unlink()
        link.write_text(target)
    wheel = build(checkout, tmp_path / "wheel", "--wheel")
    assert files_of_wheel(wheel) == files_of_wheel(built)
    use(tmp_path, [sys.executable, "-m", "sigseek"], photos, PYTHONPATH=str(checkout))


def test_a_module_of_the_user_shadows_no_room(tmp_path: Path, photos: Path) -> None:
    for room in ROOMS:
        (tmp_path / f"{room}.py").write_text("raise AssertionError('not ours')")
    use(tmp_path, [sys.executable, "-m", "sigseek"], photos, PYTHONPATH=str(ROOT))


def use(folder: Path, program: list[object], photos: Path, **environment: str) -> None:
    """Index and search from `folder`."""
    common = ["--library", folder / "library", "--json"]
    index = [*program, "index", photos, "--model", "mini", *common]
    assert json.loads(output(folder, index, **environment))["added"] == 4
    search = [*program, "search", "a house at night", "--all", "-n", 3, *common]
    assert len(output(folder, search, **environment).splitlines()) == 3


def output(folder: Path, command: list[object], **environment: str) -> str:
    """Return what the command prints, run in `folder` with nothing of this checkout on its path."""
    outer = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    words = list(map(str, command))
    done = subprocess.run(
        words, capture_output=True, text=True, cwd=folder, env=outer | environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
