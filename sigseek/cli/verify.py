"""The command `sigseek verify`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sigseek.cli.options import json_option, library_options, opened
from sigseek.cli.output import remedy_in_words, say
from sigseek.cli.progress import RunProgress
from sigseek.errors import Call, Remedy
from sigseek.results import counted, json_line, record_fields, shown

if TYPE_CHECKING:
    from sigseek.operations.verify import VerifyReport

_INDEX = (Call("index"),)


@click.command()
@click.option(
    "--repair", is_flag=True, help="Repair whatever can be rebuilt, and say what was done."
)
@click.option(
    "--contents",
    is_flag=True,
    help="Also read every photo file again, to find files that the disk has damaged.",
)
@library_options
@json_option
def verify(
    repair: bool, contents: bool, directory: Path | str, model: str | None, as_json: bool
) -> None:
    """Check the catalog, the index and the photo files against each other.

    The check finds damage to the catalog, embeddings with a wrong checksum or length, rows that
    refer to nothing, and photos that the index lacks. Each problem is one line that says what was
    done or what to do. Files that have changed since indexing are counted but not treated as
    problems. The exit status is 1 when a problem remains.

    \b
        sigseek verify
        sigseek verify --repair
    """
    with opened(directory, model) as library, RunProgress() as listener:
        report = library.verify(repair=repair, contents=contents, listener=listener)
    if as_json:
        fields = record_fields(report)
        for found, problem in zip(fields["problems"], report.problems, strict=True):
            found["remedy"] = remedy_in_words(problem.remedy)
        click.echo(json_line(fields))
    else:
        _print_report(report)
    if not report.sound:
        click.get_current_context().exit(1)


def _print_report(report: "VerifyReport") -> None:
    for problem in report.problems:
        state = "repaired" if problem.repaired else "wrong"
        click.echo(f"{state}: {shown(problem.what)}; {remedy_in_words(problem.remedy)}")
    checked = f"{counted(report.embeddings, 'embedding')} and {counted(report.files, 'file')}"
    problems = counted(len(report.problems), "problem") if report.problems else "all is well"
    click.echo(f"{checked} checked: {problems}")
    if report.outdated:
        changed = counted(report.outdated, "file")
        say(Remedy(f"{changed} changed or removed since indexing. Update with: {{}}", _INDEX))
    if report.unembedded:
        photos = counted(report.unembedded, "photo")
        say(Remedy(f"{photos} without an embedding, so not found. Embed with: {{}}", _INDEX))
    if report.leftover:
        photos = counted(report.leftover, "photo")
        click.echo(
            f"{photos} without a file, after an indexing that was interrupted or could not read "
            "all files: the next indexing finds their files or removes them"
        )
    if report.offline:
        files = counted(report.offline, "file")
        click.echo(f"{files} in offline folders, not checked")
