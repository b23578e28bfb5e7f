"""Ways out of errors, and notes, as data that a program can act on and words for people."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sigseek.errors import Call, Command, Option, Remedy, Step

_PARAMETERS = {"include_all": "all"}
"""Query parameters by the name of the argument in Python, for those with another name."""
_OTHERS = (
    "limit", "offset", "page", "sort", "explain", "closer", "min_probability", "include_self",
    "labels", "kinds", "template",
)  # fmt: skip
"""Arguments in Python that are query parameters, or fields of a body, by the same name."""
_MARK = "\0"
"""What stands for an option in a text until it is taken away."""
_ASIDE = re.compile(rf" \([^(){_MARK}]*{_MARK}[^()]*\)")
"""A remark in parentheses that names an option."""


def spelled(remedy: Remedy | str, spell: Callable[[Step], str]) -> str:
    """Return the text for people. Options that requests have are written as query parameters, and
    `spell` writes everything else.
    """
    if isinstance(remedy, str):
        return remedy

    def step_in_words(step: Step) -> str:
        if not isinstance(step, Option) or step.name not in (*_PARAMETERS, *_OTHERS):
            return spell(step)
        name = _parameter(step)
        return name if step.value is None else f"{name}={_value(step.value)}"

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


def without_options(said: Remedy, spell: Callable[[Step], str]) -> str:
    """Return a text without its remarks on options, for which the page has buttons: those in
    parentheses, and those between semicolons. `spell` writes the other steps.
    """
    text = said.spelled(lambda step: _MARK if isinstance(step, Option) else spell(step))
    parts = _ASIDE.sub("", text).split("; ")
    return "; ".join(part for part in parts if _MARK not in part)


def _parameter(option: Option) -> str:
    return _PARAMETERS.get(option.name, option.name)


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
