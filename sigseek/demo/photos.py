"""Draws scenes as a folder of photos: JPEG files with EXIF, and `captions.jsonl`, which says what
they show.
"""

import itertools
import json
import random
import re
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

from PIL import ExifTags, Image

from sigseek.demo.captions import caption
from sigseek.demo.drawing import draw_scene
from sigseek.demo.scene import Scene, numbered_scene
from sigseek.errors import Option, Remedy, SigseekError
from sigseek.siglip.names import MINI_CAMERA

CAPTIONS = "captions.jsonl"
SIZE = (1600, 1200)
_KNOWN = re.compile(r"captions\.jsonl|results\.html|scene-\d{5}\.jpg")
_NOTHING = re.compile(r"(?!)")
_ANOTHER_FOLDER = Remedy("name a new folder with {}", (Option("folder"),))
_HOURS = {"at dawn": 6, "at noon": 12, "at sunset": 19, "at night": 23}


class DemoFolderError(SigseekError):
    """The demo must not draw into a folder."""


def draw_photos(
    folder: Path,
    count: int,
    seed: int,
    on_drawn: Callable[[int], None] = lambda drawn: None,
    wanted: Callable[[Scene], bool] = lambda scene: True,
) -> list[Scene]:
    """Draw the first `count` wanted scenes of the series `seed` into `folder` and describe them in
    its `captions.jsonl`.

    Pictures of an earlier demo in the same folder are replaced. Raises DemoFolderError for a folder
    that holds anything else.
    """
    _clear(folder)
    series = (numbered_scene(seed, number) for number in itertools.count())
    scenes = list(itertools.islice(filter(wanted, series), count))
    names = [f"scene-{number:05d}.jpg" for number in range(count)]
    rng = random.Random(f"photos {seed}")
    # First, so that an interrupted demo is known as one.
    with (folder / CAPTIONS).open("w", encoding="utf-8") as captions:
        for name, scene in zip(names, scenes, strict=True):
            captions.write(
                json.dumps({"file": name, "caption": caption(scene, rng), **asdict(scene)}) + "\n"
            )
    for number, (name, scene) in enumerate(zip(names, scenes, strict=True)):
        draw_scene(scene, SIZE, number).save(folder / name, quality=90, exif=_exif(scene, rng))
        on_drawn(number + 1)
    return scenes


def _clear(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise DemoFolderError(f"{folder} is a file", _ANOTHER_FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    known = _KNOWN if _is_demo(folder) else _NOTHING
    present = [path for path in folder.iterdir() if not path.name.startswith(".")]
    others = sorted(path.name for path in present if not known.fullmatch(path.name))
    if others:
        raise DemoFolderError(
            f"{folder} contains files that are not the demo's, such as {others[0]}", _ANOTHER_FOLDER
        )
    for path in present:
        path.unlink()


def _is_demo(folder: Path) -> bool:
    """Return whether an earlier demo wrote the captions of the folder. Files of other programs are
    never removed.
    """
    try:
        with (folder / CAPTIONS).open(encoding="utf-8") as captions:
            first = json.loads(captions.readline())
    except (OSError, ValueError):
        return False
    return isinstance(first, dict) and set(first) == {
        "file",
        "caption",
        "objects",
        "place",
        "time",
        "weather",
    }


def _exif(scene: Scene, rng: random.Random) -> Image.Exif:
    """Return EXIF with a day between 2015 and 2024, at the scene's time of day."""
    taken = datetime(2015, 1, 1, _HOURS[scene.time]) + timedelta(
        days=rng.randrange(3650), minutes=rng.randrange(60)
    )
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = MINI_CAMERA
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = taken.strftime(
        "%Y:%m:%d %H:%M:%S"
    )
    return exif
