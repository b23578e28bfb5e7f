"""Ways out of errors, written as commands."""

from __future__ import annotations

import shlex

import click

from sigseek.errors import Command, Option, Step, Value, is_placeholder
from sigseek.paths import is_address, is_database
from sigseek.storage.errors import LibraryError

TYPED_LIBRARY = "sigseek.typed_library"
"""Where click's context keeps the --library that was typed. All commands' contexts share it."""

_IS_ARGUMENT = "sigseek.library_is_argument"
"""Where click's context keeps whether the library was typed without an option."""

_COMMANDS = {
    "back_up": "backup",
    "forget_checkpoint": "forget --model",
    "tags": "tag --list",
    "preview": "index --list",
    "remove_tag": "tag --remove",
    "skipped_files": "failures --skipped",
}
"""Commands by the name of the method, for those with another name."""
_OPTIONS = {
    "accept_missing": "--yes",
    "accept_system_folder": "--yes",
    "directory": "--library",
    "include_all": "--all",
    "include_self": "--self",
    "labels": "--label",
    "limit": "-n",
    "max_bytes": "--thumbnails-max",
    "mounts": "--mount",
    "proxies": "--proxy",
    "allowed_hosts": "--allowed-host",
}
"""Options by the name of the argument, for those with another name."""
_PLACEHOLDERS = {"CAPTIONS": "CAPTIONS.jsonl", "LABELS": "--labels-file FILE"}


def spell(step: Step) -> str:
    """Return the step as a person types it, in a command with the --library that was typed.

    Without --library the command would act on the default library.
    """
    if isinstance(step, Option):
        context = click.get_current_context(silent=True)
        if step.name == "directory" and context and context.meta.get(_IS_ARGUMENT):
            return "LIBRARY or TO"  # as `copy` names its libraries
        return _option(step.name, step.value)
    if isinstance(step, Command):
        return str(step)
    command, *fixed = _COMMANDS.get(step.method, step.method).split()
    words = ["sigseek", command]
    library = typed_library()
    if library is not None:
        words += ["--library", shlex.quote(library)]
    words += fixed
    words += [_PLACEHOLDERS.get(value) or _quoted(value) for value in step.arguments]
    words += [_option(name, value) for name, value in step.options]
    return " ".join(words)


def note_library(context: click.Context, parameter: click.Parameter, value: object) -> object:
    """Remember the library that was typed; a callback of the option or argument that names it."""
    typed = click.core.ParameterSource.COMMANDLINE
    if parameter.name and context.get_parameter_source(parameter.name) == typed:
        context.meta[TYPED_LIBRARY] = _without_secrets(str(value))
        context.meta[_IS_ARGUMENT] = isinstance(parameter, click.Argument)
    return value


def _without_secrets(library: str) -> str:
    """Return the library as commands that are printed name it: without a password."""
    if not is_database(library):
        return "ADDRESS" if is_address(library) else library
    from sigseek.storage.catalog.address import read_address, without_secrets

    try:
        return without_secrets(read_address(library))
    except LibraryError:  # it is told when the library is opened
        return "ADDRESS"


def typed_library() -> str | None:
    """Return the --library that was typed, None when there was none or no command runs."""
    context = click.get_current_context(silent=True)
    typed: str | None = context.meta.get(TYPED_LIBRARY) if context else None
    return typed


def _option(name: str, value: Value | None) -> str:
    option = _OPTIONS.get(name) or f"--{name.replace('_', '-')}"
    if isinstance(value, tuple):
        return " ".join(f"{option} {_quoted(one)}" for one in value)
    return option if value is None or value is True else f"{option} {_quoted(str(value))}"


def _quoted(value: str) -> str:
    """Return the value quoted for the shell; a placeholder in capitals as it is."""
    return value if is_placeholder(value) else shlex.quote(value)
