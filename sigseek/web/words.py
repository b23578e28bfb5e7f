"""Ways out of errors, and notes, as data that a program can act on and words for people."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sigseek.errors import Call, Command, Option, Remedy, Step

_PARAMETERS = {"include_all": "all"}
"""Query parameters by the name of the argument in Python, for those with another name."""
_ASIDE = re.compile(r" \([^(){}]*(?:\{\}[^(){}]*)+\)")
"""A remark in parentheses that names an option."""


def spelled(remedy: Remedy | str, spell: Callable[[Step], str]) -> str:
    """Return the text for people. Options are query parameters; `spell` writes everything else."""
    if isinstance(remedy, str):
        return remedy

    def step_in_words(step: Step) -> str:
        if not isinstance(step, Option):
            return spell(step)
        return (
            f"{_parameter(step)}={_value(step.value)}"
            if step.value is not None
            else (_parameter(step))
        )

    return remedy.spelled(step_in_words)


def remedy_fields(
    remedy: Remedy | str | None, spell: Callable[[Step], str]
) -> dict[str, Any] | None:
    """Return a way out as data: its text for people, and each call and option that it names."""
    if remedy is None:
        return None
    steps = remedy.steps if isinstance(remedy, Remedy) else ()
    return {
        "text": spelled(remedy, spell),
        "calls": [step_fields(step) for step in steps],
    }


def note_fields(note: Remedy | str, spell: Callable[[Step], str]) -> dict[str, Any]:
    """Return a note as its text, and as `remedy` what it names, if it names anything."""
    fields = remedy_fields(note, spell)
    assert fields is not None
    return {"text": fields["text"], "remedy": fields if fields["calls"] else None}


def step_fields(step: Step) -> dict[str, Any]:
    """Return a step as data: what kind it is, its name, its arguments and its options."""
    match step:
        case Call(method, arguments, options):
            return {
                "kind": "call", "name": method, "arguments": list(arguments),
                "options": {name: _plain(value) for name, value in options},
            }  # fmt: skip
        case Option(_, value):
            given = {} if value is None else {_parameter(step): _plain(value)}
            return {
                "kind": "option", "name": _parameter(step), "arguments": [], "options": given,
            }  # fmt: skip
        case Command(name):
            return {"kind": "command", "name": name, "arguments": [], "options": {}}


def without_options(headline: Remedy) -> str:
    """Return a headline without its remarks on options, for which pages have buttons."""
    return _ASIDE.sub("", headline.text).format(*map(str, headline.steps))


def _parameter(option: Option) -> str:
    return _PARAMETERS.get(option.name, option.name)


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
