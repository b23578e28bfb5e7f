"""Captioned pictures, which an evaluation or a calibration is made from."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sigseek.errors import ErrorKind, SigseekError
from sigseek.progress import Problem
from sigseek.search.labels import DEFAULT_TEMPLATE


class CaptionsError(SigseekError):
    """Captions that cannot be used at all."""


@dataclass(frozen=True)
class CaptionedPicture:
    """A picture's absolute path and its captions: at least one, and repeated ones repeated."""

    path: Path
    captions: tuple[str, ...]


@dataclass(frozen=True)
class CaptionProblem:
    """Something that was skipped, and why. `line` counts from 1; it is None without lines."""

    line: int | None
    reason: str

    def as_told(self, source: Path) -> Problem:
        """Return the problem as a listener is told of it; `source` is where the captions are."""
        where = "" if self.line is None else f"line {self.line}: "
        return Problem(str(source.absolute()), f"{where}{self.reason}")


@dataclass(frozen=True)
class CaptionedPictures:
    """The usable pictures, each once, in the order of first mention, and what was skipped."""

    pictures: tuple[CaptionedPicture, ...]
    problems: tuple[CaptionProblem, ...] = ()
    classes: tuple[str, ...] = ()
    """The labels of class folders. Every picture then has one of them as its only caption."""

    def usable(self, reasons: dict[Path, str]) -> "CaptionedPictures":
        """Return the pictures without those in `reasons`, whose reasons become problems.

        Raises CaptionsError when no picture is left.
        """
        kept = tuple(picture for picture in self.pictures if picture.path not in reasons)
        if not kept:
            path, reason = next(iter(reasons.items()))
            raise CaptionsError(
                f"none of the pictures can be used, for example {path} ({reason})",
                "check the files",
                ErrorKind.DAMAGED,
            )
        problems = tuple(
            CaptionProblem(None, f"{path}: {reason}") for path, reason in reasons.items()
        )
        return replace(self, pictures=kept, problems=self.problems + problems)

    def matching(self) -> npt.NDArray[np.bool_]:
        """Return which of `texts` was given to which picture, as bool (texts, pictures)."""
        numbers = {text: number for number, text in enumerate(self.texts)}
        given = np.zeros((len(numbers), len(self.pictures)), np.bool_)
        for place, picture in enumerate(self.pictures):
            given[[numbers[caption] for caption in picture.captions], place] = True
        return given

    @property
    def texts(self) -> tuple[str, ...]:
        """Return the captions, each once, in the order of first mention."""
        return tuple(
            dict.fromkeys(caption for picture in self.pictures for caption in picture.captions)
        )

    @property
    def queries(self) -> tuple[str, ...]:
        """Return the sentence that the model reads for each of `texts`.

        For a class it is the sentence that `Library.classify` uses.
        """
        return (
            tuple(DEFAULT_TEMPLATE.replace("{}", text) for text in self.texts)
            if self.classes
            else self.texts
        )
