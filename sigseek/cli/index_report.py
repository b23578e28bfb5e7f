"""What is printed at the end of an indexing run, such as which folders are offline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sigseek.cli.output import advise, print_json
from sigseek.results import (
    FINISH_YARDSTICK,
    emptied_folder,
    excluded_files,
    lost_tags,
    offline_folder,
    passed_over_files,
    report_in_words,
    unreadable_files,
)

if TYPE_CHECKING:
    from sigseek.indexer import IndexReport
    from sigseek.library import Library


def print_report(report: IndexReport, library: Library, *, as_json: bool = False) -> None:
    """Print what an indexing run did in a line, and on stderr what a person may want to do next."""
    if as_json:
        print_json(report)
    else:
        click.echo(report_in_words(report))
    if report.offline:
        for folder in library.status().folders:
            if not folder.online and folder.files + folder.missing:
                advise(offline_folder(folder.path, folder.files + folder.missing))
    if report.untagged:
        advise(lost_tags(report.untagged))
    if report.excluded:
        advise(excluded_files(report))
    for path in report.emptied:
        advise(emptied_folder(path))
    if report.skipped:
        advise(passed_over_files(report.skipped))
    if report.failed or report.unreadable_directories:
        advise(unreadable_files(report.failed, report.unreadable_directories))
    if report.provisional:
        advise(FINISH_YARDSTICK)
