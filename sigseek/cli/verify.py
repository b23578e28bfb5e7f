"""`sigseek verify`."""

from pathlib import Path

import click

from sigseek.cli.options import json_option, library_options, opened
from sigseek.cli.output import advice, counted, print_json, shown
from sigseek.cli.progress import ProgressBar


@click.command()
@click.option("--repair", is_flag=True, help="Mend what can be made anew, and say what was done.")
@click.option(
    "--contents",
    is_flag=True,
    help="Also read every photo again, which finds files that the disk has damaged.",
)
@library_options
@json_option
def verify(repair: bool, contents: bool, directory: Path, model: str | None, as_json: bool) -> None:
    """Check the library: catalog, index and files against each other.

    Looks for damage to the catalog, embeddings whose checksum or length is wrong, rows that belong
    to nothing, and photos that the index lacks. Each problem is a line that says what was done or
    what to do. Files that were only changed since they were indexed are counted, and no problem.
    The exit status is 1 when something is wrong and was not mended.

    \b
        sigseek verify
        sigseek verify --repair
    """
    with (
        opened(directory, model) as library,
        ProgressBar("checking", "embeddings") as embeddings,
        ProgressBar("checking", "files") as files,
    ):
        report = library.verify(
            repair=repair, contents=contents, on_embeddings=embeddings.show, on_files=files.show
        )
    if as_json:
        print_json(report)
    else:
        for problem in report.problems:
            click.echo(
                f"{'mended' if problem.mended else 'wrong'}: {shown(problem.what)}; {advice(problem.remedy)}"
            )
        looked_at = f"{counted(report.embeddings, 'embedding')} and {counted(report.files, 'file')}"
        click.echo(
            f"{looked_at} checked: {counted(len(report.problems), 'problem') if report.problems else 'all is well'}"
        )
        if report.outdated:
            changed = counted(report.outdated, "file")
            click.echo(
                advice(
                    f"{changed} changed or went since; to bring the library up to date: sigseek index"
                )
            )
        if report.unembedded:
            without = counted(report.unembedded, "photo")
            click.echo(
                advice(
                    f"{without} without embedding, which no search finds; to make it: sigseek index"
                )
            )
        if report.leftover:
            then = "removed" if repair else "the next one removes them"
            click.echo(
                f"{counted(report.leftover, 'photo')} in no file any more, left by an indexing that was cut off: {then}"
            )
        if report.offline:
            click.echo(
                f"{counted(report.offline, 'file')} in folders that are offline, not looked for"
            )
    if not report.sound:
        click.get_current_context().exit(1)
