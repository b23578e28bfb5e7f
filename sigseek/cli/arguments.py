"""The words of a command line, looked at before click does, for mistakes that it cannot tell.

Click takes whatever follows an option for its value, and a word with one dash for several options
of one letter.
"""

import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

import click

_MEANINGS = {
    "find": "search", "query": "search", "add": "index", "update": "index", "remove": "forget",
    "delete": "forget", "move": "relocate", "errors": "failures", "info": "status",
    "version": "-V",
}  # fmt: skip
"""Commands as other programs call them."""
_OPTION_MEANINGS = {
    "--count": "--limit", "--number": "--limit", "--top": "--limit", "--max": "--limit",
    "--threshold": "--min-probability", "--output": "--html", "--v": "--version",
}  # fmt: skip
"""Options as other programs call them."""
_LONG_DASHES = "–—"
"""What word processors make of two dashes."""


@dataclass(frozen=True)
class Word:
    """A word of a command line, and what it is there."""

    kind: Literal["argument", "option", "value", "unknown"]
    """An "unknown" one begins with a dash and is not an option, such as -car."""
    typed: str
    option: str = ""
    """The option that a value belongs to; empty for all other words."""


class QueryCommand(click.Command):
    """A command whose arguments are the words of a query.

    A word with a dash before it that is not an option, such as -car, is a word of the query.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the options first, so that click takes all other words as they are."""
        if ctx.resilient_parsing:
            return super().parse_args(ctx, args)
        names = _option_names(self, ctx)
        options: list[str] = []
        query: list[str] = []
        words = words_of(self, ctx, args)
        if words and words[-1].kind == "option" and names.get(words[-1].typed):
            # Click would take the -- below for the value.
            raise click.BadOptionUsage(
                words[-1].typed, f"Option '{words[-1].typed}' requires an argument.", ctx
            )
        for word in words:
            long = _with_two_dashes(word.typed)
            if word.kind == "unknown" and long in names:
                raise click.UsageError(
                    f"No such option '{word.typed}'. Did you mean '{long}'? "
                    "If it is a part of the query, write -- before the query.",
                    ctx,
                )
            if word.kind == "unknown" and names.get(word.typed[:2]) and word.typed[2] == "=":
                option, value = word.typed.split("=", 1)
                raise click.UsageError(
                    f"No such option '{word.typed}'. Did you mean '{option} {value}'?", ctx
                )
            if word.kind == "unknown" and re.fullmatch(r".[A-Za-z]", word.typed):  # such as -N
                near = [f"-{letter}" for letter in (word.typed[1], word.typed[1].swapcase())]
                meant = next((f" Did you mean '{name}'?" for name in near if name in names), "")
                raise click.UsageError(
                    f"No such option '{word.typed}'.{meant} "
                    "If it is a part of the query, write -- before the query.",
                    ctx,
                )
            of_query = word.kind in ("argument", "unknown")
            (query if of_query else options).append(word.typed)
        return super().parse_args(ctx, [*options, "--", *query])


def words_of(command: click.Command, ctx: click.Context, args: Sequence[str]) -> list[Word]:
    """Return the words of a command line as click reads them, without a `--`."""
    takes_value = _option_names(command, ctx)
    words: list[Word] = []
    left = list(reversed(args))
    while left:
        typed = left.pop()
        if typed == "--":
            return words + [Word("argument", one) for one in reversed(left)]
        name, equals, _ = typed.partition("=")
        if not typed.startswith(("-", *_LONG_DASHES)) or typed == "-":
            words.append(Word("argument", typed))
        elif typed in takes_value or typed.startswith("--"):
            words.append(Word("option", typed))
            if takes_value.get(name) and not equals and left:
                words.append(Word("value", left.pop(), name))
        elif takes_value.get(typed[:2]) and typed[2:].isdecimal():  # -n50
            words.append(Word("option", typed))
        else:
            words.append(Word("unknown", typed))
    return words


def check_words(command: click.Command, ctx: click.Context, args: Sequence[str]) -> None:
    """Refuse an option in the place of another one's value, and options that do not exist.

    `--html --paths` would write a file called --paths.
    """
    names = _option_names(command, ctx)
    for word in words_of(command, ctx, args):
        if word.kind == "value" and (word.typed.startswith("--") or word.typed in names):
            long = word.option if word.option.startswith("--") else _long_name(command, word.option)
            raise click.BadOptionUsage(
                word.option,
                f"Option '{word.option}' needs a value, and '{word.typed}' is an option. "
                f"If it is the value, write {shlex.quote(f'{long}={word.typed}')}.",
                ctx,
            )
        typed = word.typed.partition("=")[0]
        unknown = word.kind == "unknown" and not isinstance(command, QueryCommand)
        if unknown or (word.kind == "option" and typed.startswith("--") and typed not in names):
            near = _near_option(command, ctx, typed)
            if near:
                raise click.UsageError(f"No such option '{typed}'. Did you mean '{near}'?", ctx)
            if not unknown:  # click would name what is near for its dashes alone
                where = " A command's options come after it." if ctx.parent is None else ""
                raise click.UsageError(f"No such option '{typed}'.{where}", ctx)


def unknown_command(name: str, after: Sequence[str], commands: Sequence[str]) -> str:
    """Say that there is no such command, and what may have been meant."""
    meaning = _MEANINGS.get(name.lower())
    near = [meaning] if meaning else get_close_matches(name.lower(), commands, 2)
    found = f"No such command '{name}'."
    if near:
        return f"{found} Did you mean {' or '.join(repr(command) for command in near)}?"
    if os.path.isdir(name):
        return f"{found} To add a folder: sigseek index {shlex.join([name, *after])}"
    return f"{found} To search for a text: sigseek search {shlex.join([name, *after])}"


def _option_names(command: click.Command, ctx: click.Context) -> dict[str, bool]:
    """Return the names of the command's options, and whether each takes a value."""
    names = {
        name: not (parameter.is_flag or parameter.count)
        for parameter in command.get_params(ctx)
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    return names | dict.fromkeys(ctx.help_option_names, False)


def _near_option(command: click.Command, ctx: click.Context, typed: str) -> str | None:
    """Return the long option that begins with what was typed, or that is nearest to it."""
    name = _with_two_dashes(typed)
    known = [
        option
        for parameter in command.get_params(ctx)
        if isinstance(parameter, click.Option) and not parameter.hidden
        for option in parameter.opts
        if option.startswith("--")
    ]
    begun = [option for option in known if option.startswith(name) and len(name) > len("--x")]
    meant = _OPTION_MEANINGS.get(name)
    least = 0.6 if typed.startswith("--") else 0.8  # one dash may begin a word
    # Dashes, which all names share, would make any two of them alike.
    near = get_close_matches(name[2:], [option[2:] for option in known], 1, least)
    found = begun or [option for option in known if option == meant]
    return next(iter(found or [f"--{option}" for option in near]), None)


def _with_two_dashes(typed: str) -> str:
    """Return the name that was typed with any dashes, as a long option has it."""
    return f"--{typed.partition('=')[0].lstrip('-' + _LONG_DASHES)}"


def _long_name(command: click.Command, short: str) -> str:
    """Return the long name of an option that has a short one, too."""
    names = next(parameter.opts for parameter in command.params if short in parameter.opts)
    return next((name for name in names if name.startswith("--")), short)
