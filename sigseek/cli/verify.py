"""`sigseek verify`."""

from pathlib import Path

import click

from sigseek.cli.options import json_option, library_options, opened
from sigseek.cli.output import print_json, shown
from sigseek.cli.progress import ProgressBar


@click.command()
@click.option("--repair", is_flag=True, help="Mend what can be made anew, and say what was done.")
@click.option("--contents", is_flag=True, help="Also read every photo again, which finds files that the disk has damaged.")
@library_options
@json_option
def verify(repair: bool, contents: bool, library: Path, model: str | None, as_json: bool) -> None:
    """Check the library: catalog, index and files against each other.

    Looks for damage to the catalog, embeddings whose checksum or length is wrong, rows that belong to nothing, and photos
    that the index lacks. Each problem is a line that says what was done or what to do. Files that were only changed
    since they were indexed are counted, and no problem. The exit status is 1 when something is wrong and was not mended.

    \b
        sigseek verify
        sigseek verify --repair
    """
    with (
        opened(library, model) as photos,
        ProgressBar("checking", "embeddings") as embeddings,
        ProgressBar("checking", "files") as files,
    ):
        report = photos.verify(repair=repair, contents=contents, on_embeddings=embeddings.show, on_files=files.show)
    if as_json:
        print_json(report)
    else:
        for problem in report.problems:
            click.echo(f"{'mended' if problem.mended else 'wrong'}: {shown(problem.what)}; {problem.remedy}")
        looked_at = f"{report.embeddings:,} embeddings and {report.files:,} files"
        click.echo(f"{looked_at} checked: {f'{len(report.problems):,} problems' if report.problems else 'all is well'}")
        if report.outdated:
            click.echo(f"{report.outdated:,} files have changed or gone since; to bring them up to date: sigseek index")
        if report.unembedded:
            click.echo(f"{report.unembedded:,} photos have no embedding and are not found; to make them: sigseek index")
        if report.leftover:
            then = "they were removed" if repair else "the next one removes them"
            click.echo(f"{report.leftover:,} photos that no file holds any more, left by an indexing that was cut off: {then}")
        if report.offline:
            click.echo(f"{report.offline:,} files are in folders that are offline, and were not looked for")
    if not report.sound:
        click.get_current_context().exit(1)
