"""What sigseek raises on purpose. Every room may import this module; it imports none of them.

    SigseekError            the base: what was found, what to do about it, and of which kind it is
    ├── CheckpointError     a checkpoint that cannot be found, read or used
    ├── LibraryError        a library that cannot be opened, read or written
    ├── FolderError         a folder that cannot be indexed
    ├── DecodeError         a photo file that gives no picture
    ├── QueryError          a query that cannot be answered
    │   ├── QuerySyntaxError    a query that cannot be read; it knows the column
    │   │   └── FactError           a fact with a value that it cannot have, or that no photo has
    │   └── UnknownTagError     a tag that does not exist
    ├── CaptionsError       captions that cannot be used
    ├── CalibrationError    captions or constants that no calibration can be made from
    └── StoppedError        work that its caller asked to stop

The working rooms say what was found and name the way out as a value. Only the face spells it: the
command line as a command, Python as a call, a web page as a button.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class ErrorKind(StrEnum):
    """What sort of thing went wrong, for programs that must react differently to each."""

    NOT_FOUND = "not found"
    """Something that was named does not exist."""
    INVALID = "invalid"
    """What the caller asked for makes no sense, or goes against something that is there."""
    BUSY = "busy"
    """Another process is using it; the same call may succeed later."""
    DAMAGED = "damaged"
    """A file exists and does not hold what it should."""
    UNAVAILABLE = "unavailable"
    """A disk, drive or network cannot be used now, for lack of space or permission for example."""
    UNSUPPORTED = "unsupported"
    """sigseek, or this machine, does not do that."""
    STOPPED = "stopped"
    """Whoever asked for the work has asked it to stop."""


_OF_OPEN = ("model", "device", "precision")
"""Arguments of `sigseek.open` that a call may name beside those of its method."""
Value: TypeAlias = str | int | bool | tuple[str, ...]
"""The value of an argument. A tuple is for an argument that takes several."""


@dataclass(frozen=True)
class Call:
    """A way out: call one of the methods of `Library`, by its name there."""

    method: str
    arguments: tuple[str, ...] = ()
    """The positional arguments. A word in capitals, such as FOLDER, is for the user to fill in."""
    options: tuple[tuple[str, Value], ...] = ()
    """The keyword arguments by their names in Python, and those of `sigseek.open`, such as
    `model`.
    """

    def __str__(self) -> str:
        opening = [option for option in self.options if option[0] in _OF_OPEN]
        values = [_python(value) for value in self.arguments]
        values += [_keyword(*option) for option in self.options if option not in opening]
        library = "library"
        if opening:
            library = (
                f"sigseek.open({', '.join(['LIBRARY', *(_keyword(*one) for one in opening)])})"
            )
        return f"{library}.{self.method}({', '.join(values)})"


@dataclass(frozen=True)
class Option:
    """A way out: pass another value for one argument of the same call, by its name in Python."""

    name: str
    value: Value | None = None
    """The value; None where the user has to choose one."""

    def __str__(self) -> str:
        return self.name if self.value is None else _keyword(self.name, self.value)


@dataclass(frozen=True)
class Command:
    """A way out: run a command of the program that has no counterpart among Library's methods."""

    name: str

    def __str__(self) -> str:
        return f"sigseek {self.name}"


Step: TypeAlias = Call | Option | Command


@dataclass(frozen=True)
class Remedy:
    """What a person can do about an error: a text, and the calls and options that it names."""

    text: str
    """The text, with `{}` in place of each step, in order. Braces in other places are not
    allowed.
    """
    steps: tuple[Step, ...] = ()

    def __str__(self) -> str:
        return self.spelled(str)

    def spelled(self, spell: Callable[[Step], str]) -> str:
        """Return the text with each step as `spell` writes it."""
        return self.text.format(*map(spell, self.steps))


class RemedyWarning(UserWarning):
    """A warning with advice, whose calls are written as in Python unless a face spells `remedy`."""

    def __init__(self, remedy: Remedy) -> None:
        super().__init__(str(remedy))
        self.remedy = remedy


class SigseekError(Exception):
    """The base of all errors that sigseek raises on purpose.

    `found` says what was found and `remedy` what to do; `str` gives both in one line, with calls
    written as in Python. `kind` tells the sorts of errors apart.
    """

    kind: ErrorKind = ErrorKind.INVALID

    def __init__(
        self, found: str, remedy: Remedy | str | None = None, kind: ErrorKind | None = None
    ) -> None:
        super().__init__(found, remedy, kind)  # all of them, so that pickling keeps them
        self.found = found
        self.remedy = Remedy(escaped(remedy)) if isinstance(remedy, str) else remedy
        if kind is not None:
            self.kind = kind

    def __str__(self) -> str:
        return self.spelled(str)

    def spelled(self, spell: Callable[[Step], str]) -> str:
        """Return one line: what was found and what to do, with each step as `spell` writes it."""
        return f"{self.found}; {self.remedy.spelled(spell)}" if self.remedy else self.found


class StoppedError(SigseekError):
    """Work that its caller asked to stop, by a `Stop`, before it was done."""

    kind = ErrorKind.STOPPED

    def __init__(self) -> None:
        super().__init__("stopped before it was done")
        self.args = ()  # from which pickle makes the error again


def is_placeholder(value: str) -> bool:
    """Return whether the value of a step is a word in capitals, which the user replaces.

    A path such as /PHOTOS is none: its slashes are not letters.
    """
    return value.isalpha() and value.isupper()


def _python(value: Value) -> str:
    """Return the value as Python source; a placeholder in capitals as it is."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_python, value))}]"
    return value if isinstance(value, str) and is_placeholder(value) else repr(value)


def _keyword(name: str, value: Value) -> str:
    return f"{name}={_python(value)}"


def escaped(text: str) -> str:
    """Return the text with its braces doubled, to be part of a Remedy's text."""
    return text.replace("{", "{{").replace("}", "}}")
