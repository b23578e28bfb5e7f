"""Writes the dump of a small library as the program makes it: `python -m tests.schemas.make`.

`make migration` calls it before it writes the next migration. The dump is `<revision>.sql`, as
sqlite3's iterdump gives it, with /photos for the folder that holds the library's folders.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote_to_bytes

from sigseek.demo.photos import draw_photos
from sigseek.siglip.checkpoint import MINI_DIRECTORY, read_checkpoint
from sigseek.siglip.names import MINI
from tests.checkpoints import save_tiny

SCHEMAS = Path(__file__).parent
PLACE = "/photos"
_MINI_OF_THE_DUMPS = "707541deaeada5de0308f2a55f5fb0edbf2efd984c0753c1b378da63a66c4239"
"""Its fingerprint. mini's text tower has learned since; its image tower, and so every embedding of
a dump, is the same.
"""


def restore(revision: str, directory: Path, place: str = PLACE) -> Path:
    """Restore the dumped library in `directory`, its folders in `place`, made with mini as it is
    now, and return its catalog.
    """
    directory.mkdir()
    path = directory / "catalog.sqlite"
    script = (SCHEMAS / f"{revision}.sql").read_text(encoding="utf-8")
    mini = read_checkpoint(MINI_DIRECTORY, MINI).fingerprint
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script.replace(PLACE, place).replace(_MINI_OF_THE_DUMPS, mini))
    return path


def lay_out(target: Path) -> None:
    """Lay out the folders of photos, with the times of change that the dumps hold. Names that no
    checkout could hold are quoted.
    """
    sources = sorted(path for path in (SCHEMAS / "photos").rglob("*") if path.suffix == ".jpg")
    for number, source in enumerate(sources):
        name = os.fsdecode(unquote_to_bytes(str(source.relative_to(SCHEMAS / "photos"))))
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)
        os.utime(path, (1_700_000_000 + number,) * 2)
    shutil.copy2(target / "summer" / "cats.jpg", target / "winter" / "copied cats.jpg")


def make(place: Path) -> Path:
    """Make a library with something in every table, in `place`, and return its catalog."""
    library = place / "library"

    def sigseek(*arguments: object) -> None:
        subprocess.run(
            [sys.executable, "-m", "sigseek", *map(str, arguments), "--library", library],
            check=True,
        )

    lay_out(place)
    sigseek("index", place / "summer", place / "winter", "--model", "mini", "--precision", "fp32")
    (place / "summer" / "going.jpg").unlink()
    sigseek("index")
    sigseek("index", "--model", save_tiny(place / "tiny"))
    draw_photos(place / "drawn", 40, seed=1)
    sigseek("calibrate", place / "drawn" / "captions.jsonl", "--model", "mini")
    sigseek(
        "tag",
        "--label",
        "a house",
        "--label",
        "cats",
        "--label",
        "three green cats",
        "--model",
        "mini",
    )
    sigseek("tag", "--add", "favourite", place / "winter" / "bicycle.jpg")
    sigseek("tag", "--remove", "cats", place / "winter" / "balloons.jpg")
    pair = (place / "winter" / "bicycle.jpg", place / "winter" / "balloons.jpg")
    sigseek("duplicates", "--not", *pair)
    return library / "catalog.sqlite"


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory).resolve()
        with closing(sqlite3.connect(make(place))) as connection:
            (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            mini = read_checkpoint(MINI_DIRECTORY, MINI).fingerprint
            lines = [
                line.replace(str(place), PLACE).replace(mini, _MINI_OF_THE_DUMPS)
                for line in connection.iterdump()
            ]
    (SCHEMAS / f"{revision}.sql").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
