"""The wheel, in an empty environment without the source on the path: it must work there as it does here."""

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

from tests.conftest import ROOT


def test_the_wheel_installs_and_works(tmp_path: Path, drawn: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT],
        capture_output=True,
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"sigseek"}, "above all no alembic, which would land in the real one"
    assert "sigseek/storage/migrations/versions/0001_first_schema.py" in names
    assert "sigseek/siglip/mini/model.safetensors" in names
    assert not [name for name in names if "training" in name], (
        "how mini was trained is no user's concern"
    )
    assert wheel.stat().st_size < 15e6

    venv.create(tmp_path / "env", symlinks=True)
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "--python",
            python,
            "install",
            "--no-deps",
            "--no-index",
            "--quiet",
            wheel,
        ],
        check=True,
    )
    # The dependencies are gigabytes: they come from this environment, but nothing of this checkout
    # does.
    here = subprocess.run(
        [python, "-c", "import site; print(site.getsitepackages()[0])"],
        capture_output=True,
        text=True,
        check=True,
    )
    dependencies = Path(here.stdout.strip()) / "dependencies.pth"
    dependencies.write_text(
        next(path for path in sys.path if path.endswith("site-packages")) + "\n"
    )
    where = subprocess.run(
        [
            python,
            "-c",
            "import sigseek.library as s, sigseek.storage as t; print(s.__file__, t.__file__)",
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert str(ROOT) not in where.stdout.replace(str(tmp_path), "")

    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}

    def run(*arguments: object) -> str:
        program = tmp_path / "env" / "bin" / "sigseek"
        done = subprocess.run(
            [program, *map(str, arguments), "--library", tmp_path / "library", "--json"],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert json.loads(run("index", drawn, "--model", "mini"))["added"] == 40
    assert len(run("search", "a house at night", "--all", "-n", 3).splitlines()) == 3
