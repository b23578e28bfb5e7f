"""`sigseek prune`."""

import re
from datetime import timedelta
from pathlib import Path

import click

from sigseek.cli.options import json_option, library_options, opened
from sigseek.cli.output import counted, print_json

_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


class Age(click.ParamType[timedelta]):
    """A time such as 12h, 30d or 8w."""

    name = "age"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """The time; a usage error for anything else."""
        if isinstance(value, timedelta):
            return value
        match = re.fullmatch(r"(\d{1,6})([hdw])", str(value).strip().lower(), re.ASCII)
        if not match:
            self.fail(
                f"{value!r} is no time; write hours, days or weeks, as in 12h, 30d or 8w.",
                param,
                ctx,
            )
        return timedelta(**{_UNITS[match[2]]: int(match[1])})


@click.command()
@click.option(
    "--older-than",
    type=Age(),
    default="30d",
    show_default=True,
    metavar="AGE",
    help="Missing for longer; 0d for all.",
)
@library_options
@json_option
def prune(older_than: timedelta, directory: Path, model: str | None, as_json: bool) -> None:
    """Forget files that have long been missing.

    A file that an indexing run does not find stays known as missing, and its photo keeps its
    embedding: should it come back, nothing is embedded again. This forgets those that have been
    missing for longer than AGE (hours, days or weeks), and photos that have no other file. What is
    in folders that are offline stays, and so does what was below a directory that is there and
    empty, as an unplugged drive leaves it: remove the directory, or forget it.

    \b
        sigseek prune
        sigseek prune --older-than 0d
    """
    with opened(directory, model) as library:
        gone = library.prune(older_than)
    if as_json:
        print_json(gone)
    elif not gone.files:
        click.echo(
            "nothing forgotten: no file has been missing for longer, files on drives that may be unplugged left aside"
        )
    else:
        click.echo(
            f"{counted(gone.files, 'missing file')} forgotten, and {counted(gone.photos, 'photo')} that lay nowhere else"
        )
