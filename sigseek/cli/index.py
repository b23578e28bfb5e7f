"""`sigseek index`."""

from pathlib import Path

import click

from indexer import IndexReport
from sigseek.cli.options import device_option, json_option, library_options, opened
from sigseek.cli.output import print_json, shown
from sigseek.cli.progress import ProgressBar


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path), metavar="[FOLDER]...")
@library_options
@device_option
@json_option
def index(folders: tuple[Path, ...], library: Path, model: str | None, device: str, as_json: bool) -> None:
    """Add folders and bring the library up to date with them.

    Without a folder, all known ones are brought up to date. Photos are never changed. What is unchanged is not read
    again, a moved file is recognised by its content, and Ctrl-C loses nothing: the next run goes on.

    \b
        sigseek index ~/Pictures
        sigseek index ~/Pictures --library ~/Pictures/.sigseek
        sigseek index drawings --model mini
    """
    with opened(library, model, device) as photos, ProgressBar("indexing", "files") as progress:
        report = photos.index(*folders, on_progress=progress.show)
    if not report.scanned and not report.offline:
        where = ", ".join(shown(str(folder)) for folder in folders) or "the known folders"
        click.echo(f"warning: no pictures found in {where}", err=True)
    if as_json:
        print_json(report)
    else:
        _print_report(report)


def _print_report(report: IndexReport) -> None:
    counts = ("added", "changed", "moved", "unchanged", "missing", "offline", "failed")
    parts = [f"{getattr(report, name):,} {name}" for name in counts if getattr(report, name)]
    rate = f", {report.images_per_second:.1f} images/s on {report.device}" if report.device else ""
    click.echo(f"{report.scanned:,} pictures: {', '.join(parts) or 'nothing'} ({report.seconds:.1f} s{rate}, {report.model})")
    if report.failed:
        click.echo("what could not be used, and why: sigseek failures", err=True)
