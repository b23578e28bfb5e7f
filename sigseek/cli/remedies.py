"""Ways out of errors, written as commands."""

import shlex
import sys

from sigseek.errors import Option, Step

_COMMANDS = {
    "back_up": "backup",
    "forget_checkpoint": "forget --model",
    "tags": "tag --list",
    "remove_tag": "tag --remove",
}
"""By the method's name, where the command is called otherwise."""
_OPTIONS = {"accept_missing": "--yes", "include_all": "--all"}
_PLACEHOLDERS = {"LABELS": "--labels-file FILE"}
_ELSEWHERE = {"demo"}
"""Commands that take no --library."""


def spell(step: Step) -> str:
    """The step as a person types it, with the --library that was typed: otherwise the command
    would act on another library.
    """
    if isinstance(step, Option):
        return _option(step.name, step.value)
    command, *fixed = _COMMANDS.get(step.method, step.method).split()
    words = ["sigseek", command]
    library = typed_library()
    if library is not None and command not in _ELSEWHERE:
        words += ["--library", shlex.quote(library)]
    words += fixed
    words += [_PLACEHOLDERS.get(value) or _quoted(value) for value in step.arguments]
    words += [_option(name, value) for name, value in step.options]
    return " ".join(words)


def typed_library() -> str | None:
    """The value of the last --library on the command line."""
    typed = sys.argv[1:]
    values = [
        after
        for option, after in zip(typed, [*typed[1:], ""], strict=True)
        if option == "--library"
    ]
    values += [
        option.removeprefix("--library=") for option in typed if option.startswith("--library=")
    ]
    return values[-1] if values else None


def _option(name: str, value: str | int | bool | None) -> str:
    option = _OPTIONS.get(name) or f"--{name.replace('_', '-')}"
    return option if value is None or value is True else f"{option} {_quoted(str(value))}"


def _quoted(value: str) -> str:
    return value if value.isupper() else shlex.quote(value)
