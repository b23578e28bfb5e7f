"""Reading captions of pictures from JSON lines, Karpathy's splits, or a folder of class folders."""

import json
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

from sigseek.errors import ErrorKind
from sigseek.evaluation.captions import (
    CaptionedPicture,
    CaptionedPictures,
    CaptionProblem,
    CaptionsError,
)
from sigseek.indexer.exclusion import is_junk
from sigseek.indexer.scan import scan_folder
from sigseek.paths import typed_path

_FORMS = (
    'give a file of lines like {"file": "a.jpg", "caption": "a red house"}, one of Karpathy\'s '
    "dataset_*.json, or a folder with one folder of pictures per class"
)


def read_captions(
    source: Path, *, split: str = "test", pictures: Path | None = None
) -> CaptionedPictures:
    """Read captioned pictures from `source`, which has one of three forms.

    - A file of JSON lines: `{"file": ..., "caption": ...}` or with `"captions": [...]`. Several
      lines about one file add up.
    - Karpathy's dataset_coco.json, dataset_flickr8k.json or dataset_flickr30k.json (Karpathy and
      Fei-Fei 2015, arXiv 1412.2306), of which the images of `split` are used.
    - A folder of class folders. A class folder's name, with `_` and `-` as spaces, is the caption
      of every picture below it.

    Pictures are in `pictures`, or by default next to the file. What is wrong with one line, image
    or folder becomes a CaptionProblem, and the rest is read. Raises CaptionsError when nothing
    usable is left, or when `source` or `pictures` does not exist or cannot be read.
    """
    source, pictures = typed_path(source), typed_path(pictures) if pictures else None
    if pictures is not None and not _is(Path.is_dir, pictures):
        raise CaptionsError(
            f"there is no folder {pictures.absolute()}",
            "give the folder that contains the pictures",
            ErrorKind.NOT_FOUND,
        )
    if _is(Path.is_dir, source):
        return _read_class_folders(source)
    text = _read_text(source)
    found = _Found(pictures or source.parent)
    images = _karpathy_images(text)
    if images is None:
        _read_lines(text, found)
    else:
        _read_karpathy(images, split, source, found)
    if not found.captions:
        first = found.problems[0] if found.problems else CaptionProblem(None, "the file is empty")
        where = "" if first.line is None else f"line {first.line}: "
        raise CaptionsError(f"no picture with a caption in {source}: {where}{first.reason}", _FORMS)
    return CaptionedPictures(
        tuple(CaptionedPicture(path, tuple(captions)) for path, captions in found.captions.items()),
        tuple(found.problems),
    )


class _Found:
    """Collects captions by picture, and problems. Files are looked up in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.captions: dict[Path, list[str]] = {}
        self.problems: list[CaptionProblem] = []
        self._paths: dict[Path, Path] = {}

    def problem(self, place: int | str, reason: str) -> None:
        """Note what is wrong in a line (given by its number) or at another place (by its name)."""
        self.problems.append(
            CaptionProblem(place, reason)
            if isinstance(place, int)
            else CaptionProblem(None, f"{place}: {reason}")
        )

    def add(self, place: int | str, names: list[str], given: list[Any]) -> None:
        """Give the captions to the first file of `names` that exists."""
        captions = [text for value in given if (text := self._caption(place, value)) is not None]
        if not captions:
            return
        places = (typed_path(self.folder / name) for name in names)
        path = next((place for place in places if _is(Path.is_file, place)), None)
        if path is None:
            self.problem(place, f"no picture {_shown(names[0])} in {self.folder}")
            return
        # One file may be named in several ways; it is one picture.
        path = self._paths.setdefault(path.resolve(), path)
        self.captions.setdefault(path, []).extend(captions)

    def _caption(self, place: int | str, value: Any) -> str | None:
        if not isinstance(value, str):
            self.problem(place, "caption is not text")
        elif not value.strip():
            self.problem(place, "caption is empty")
        elif not _is_text(value):
            self.problem(place, "caption has half a character (a lone surrogate)")
        else:
            return value.strip()
        return None


def _read_text(source: Path) -> str:
    try:
        content = source.read_bytes()
    except FileNotFoundError as error:
        raise CaptionsError(
            f"there is no file or folder {source.absolute()}", _FORMS, ErrorKind.NOT_FOUND
        ) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CaptionsError(
            f"{source.absolute()} cannot be read ({reason})", _FORMS, ErrorKind.UNAVAILABLE
        ) from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise CaptionsError(
            f"{source} is not UTF-8 in line {line:,}", "save it as UTF-8, or remove that line"
        ) from error


def _read_lines(text: str, found: _Found) -> None:
    first: dict[str, int] = {}
    # Not splitlines: JSON strings may contain the line separators of Unicode.
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if not line:
            continue
        if line in first:
            found.problem(number, f"the same as line {first[line]}")
            continue
        first[line] = number
        try:
            record = _parsed(line)
        except ValueError as error:
            found.problem(number, f"not JSON: {error}")
            continue
        _read_record(record, number, found)


def _read_record(record: Any, line: int, found: _Found) -> None:
    if not isinstance(record, dict):
        found.problem(line, "not a JSON object")
        return
    name, several = record.get("file"), record.get("captions", [])
    if not isinstance(name, str) or not name:
        found.problem(line, 'no "file"')
    elif not isinstance(several, list):
        found.problem(line, '"captions" is not a list')
    elif not (given := ([record["caption"]] if "caption" in record else []) + several):
        found.problem(line, 'no "caption"')
    else:
        found.add(line, [name], given)


def _karpathy_images(text: str) -> list[Any] | None:
    """Return the images of one of Karpathy's splits; None when the text is something else."""
    try:
        whole = _parsed(text)
    except ValueError:
        return None
    images = whole.get("images") if isinstance(whole, dict) else None
    is_one = isinstance(images, list) and any(
        isinstance(image, dict) and "sentences" in image for image in images
    )
    return images if is_one else None


def _read_karpathy(images: list[Any], split: str, source: Path, found: _Found) -> None:
    splits = {
        image["split"]
        for image in images
        if isinstance(image, dict) and isinstance(image.get("split"), str)
    }
    if split not in splits:
        there = ", ".join(sorted(map(_shown, splits))) or "none"
        raise CaptionsError(
            f"{source} has no images of the split {_shown(split)}",
            f"choose one of its splits: {there}",
            ErrorKind.NOT_FOUND,
        )
    for number, image in enumerate(images, 1):
        place = f"image {number}"
        if not isinstance(image, dict):
            found.problem(place, "not a JSON object")
            continue
        if image.get("split") != split:
            continue
        name, sentences = image.get("filename"), image.get("sentences")
        if not isinstance(name, str) or not name:
            found.problem(place, 'no "filename"')
        elif not isinstance(sentences, list) or not sentences:
            found.problem(place, 'no "sentences"')
        else:
            folder = image.get("filepath")  # COCO's: train2014 or val2014
            names = [f"{folder}/{name}", name] if isinstance(folder, str) and folder else [name]
            found.add(
                place,
                names,
                [
                    sentence.get("raw") if isinstance(sentence, dict) else None
                    for sentence in sentences
                ],
            )


def _read_class_folders(source: Path) -> CaptionedPictures:
    root = source.absolute()
    try:
        folders = sorted(
            path for path in root.iterdir() if path.is_dir() and not is_junk(path.name)
        )
    except OSError as error:
        raise CaptionsError(
            f"the folder {source} cannot be read ({error.strerror})",
            "change its permissions, or choose another",
            ErrorKind.UNAVAILABLE,
        ) from error
    pictures: list[CaptionedPicture] = []
    problems: list[CaptionProblem] = []
    for folder in folders:
        label = " ".join(folder.name.replace("_", " ").replace("-", " ").split())
        listing = scan_folder(root, PurePath(folder.name))
        problems += [
            CaptionProblem(None, f"{_shown(name)}: {reason}")
            for name, reason in listing.unreadable.items()
        ]
        if not label or not _is_text(label):
            problems.append(
                CaptionProblem(None, f"the folder name {_shown(folder.name)} names no class")
            )
        elif not listing.files:
            problems.append(
                CaptionProblem(None, f"no picture in the class folder {_shown(folder.name)}")
            )
        else:
            pictures += [CaptionedPicture(root / path, (label,)) for path in listing.files]
    if not pictures:
        raise CaptionsError(f"there is no class folder with pictures in {source}", _FORMS)
    found = CaptionedPictures(tuple(pictures), tuple(problems))
    return CaptionedPictures(found.pictures, found.problems, found.texts)


def _parsed(text: str) -> Any:
    """Parse JSON. Raises ValueError with one line for whatever is wrong with it."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} (column {error.colno})") from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _is(kind: Callable[[Path], bool], path: Path) -> bool:
    try:
        return kind(path)
    except (OSError, ValueError):  # the name is too long, or contains a zero byte
        return False


def _is_text(value: str) -> bool:
    """Return whether the string can be written as UTF-8, which strings from JSON or file names may
    not.
    """
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def _shown(name: str) -> str:
    """Return the name in a form that fits into a message of one line."""
    return name if name.isprintable() else ascii(name)
