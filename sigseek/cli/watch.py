"""The command `sigseek watch`."""

import shutil
import signal
import sys
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sigseek.cli.options import (
    device_option,
    json_option,
    library_options,
    max_megapixels_option,
    precision_option,
    tell_of_library,
)
from sigseek.cli.output import one_line, print_json, remedy_in_words
from sigseek.cli.parameter_types import Duration, PathName
from sigseek.errors import Remedy
from sigseek.indexer import IndexReport
from sigseek.progress import Phase, Problem, Progress, Stop
from sigseek.results import counted, shown

if TYPE_CHECKING:
    from sigseek.operations.status import Status


@click.command()
@click.argument("folders", nargs=-1, type=PathName(), metavar="[FOLDER]...")
@library_options
@device_option
@precision_option
@click.option(
    "--debounce",
    type=Duration("s"),
    default="2s",
    show_default=True,
    metavar="DURATION",
    help="Wait until nothing has changed for this long before indexing.",
)
@click.option(
    "--rescan",
    type=Duration("m"),
    default="10m",
    show_default=True,
    metavar="DURATION",
    help="How often to rescan everything, because network drives do not report all changes.",
)
@max_megapixels_option
@json_option
def watch(
    folders: tuple[Path, ...],
    directory: Path | str,
    model: str | None,
    device: str,
    precision: str,
    debounce: timedelta,
    rescan: timedelta,
    max_megapixels: int | None,
    as_json: bool,
) -> None:
    """Keep the library up to date while its folders change.

    Folders are added as `sigseek index` does; without FOLDER, all known folders are watched. Other
    commands can be used meanwhile. Stop it with Ctrl-C or SIGTERM: the exit status is 0, and
    everything finished is kept.

    \b
        sigseek watch ~/Pictures
        sigseek watch --rescan 1h
    """
    from sigseek.library import open_library  # `--help` needs none of it

    line, stop = StatusLine(), Stop()

    def end(number: int, frame: object) -> None:
        """End what is going on at once. An exception that comes up in some library's callback is
        dropped there, so the request to stop stays.
        """
        stop.set()
        raise KeyboardInterrupt

    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, end)
        tell_of_library(directory)
        with open_library(directory, model, device, precision, line) as library:
            for found in library.watch(
                *folders,
                debounce=debounce.total_seconds(),
                rescan=rescan.total_seconds(),
                max_megapixels=max_megapixels,
                stop=stop,
            ):
                problem = one_line(found.error) if found.error else None
                if as_json:
                    print_json(_Line(found.path, found.report, problem))
                    sys.stdout.flush()
                if problem:
                    line.say(f"warning: {shown(problem)}")
                if found.report:
                    line.show_round(found.report, library.status(), len(folders))
    except KeyboardInterrupt:
        line.end()


@dataclass(frozen=True)
class _Line:
    """What is printed of a WatchEvent as JSON."""

    path: str
    report: IndexReport | None
    problem: str | None


class StatusLine:
    """One line on stderr that is written again in place on a terminal; elsewhere a line whenever it
    says something new.
    """

    def __init__(self) -> None:
        self._in_place = sys.stderr.isatty()
        self._line = ""
        self._last_change = ""
        self._missing: int | None = None
        self._shown_at = 0.0

    def say(self, line: str) -> None:
        """Print a line of its own, which stays."""
        click.echo(f"\r\033[K{line}" if self._in_place else line, err=True)
        if self._in_place:
            self._write(self._line)

    def show_round(self, report: IndexReport, status: "Status", named: int) -> None:
        """Show what is watched, and what changed last."""
        counts = {name: getattr(report, name) for name in ("added", "changed", "moved")}
        if self._missing is not None:
            gone = status.missing - self._missing
            counts |= {"missing": gone, "back": -gone - report.moved}
        self._missing = status.missing
        changes = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count > 0)
        if changes:
            self._last_change = f"; last change {datetime.now().astimezone():%H:%M}: {changes}"
        folders = named or len(status.folders)
        photos = f"{counted(status.photos, 'photo')} in the library"
        line = f"watching {counted(folders, 'folder')}; {photos}{self._last_change}"
        if line != self._line or self._in_place:
            self._line = line
            self._write(line)

    def advanced(self, progress: Progress) -> None:
        """Show how far a run is, ten times a second at most, to people who look at a terminal."""
        now = time.monotonic()
        if not self._in_place or now - self._shown_at <= 0.1:
            return
        if progress.phase is Phase.EMBEDDING and progress.done == progress.total:
            return
        self._shown_at = now
        counts = f": {progress.done:,} of {progress.total:,}" if progress.total else ""
        self._write(f"{progress.phase.value}{counts}")

    def said(self, line: str | Remedy) -> None:
        """Print a line of its own, which stays."""
        self.say(remedy_in_words(line))

    def met(self, problem: Problem) -> None:
        """Leave it to `sigseek failures`."""

    def end(self) -> None:
        """Leave the line as it is."""
        if self._in_place:
            click.echo(err=True)

    def _write(self, line: str) -> None:
        if self._in_place:
            width = shutil.get_terminal_size().columns - 1
            click.echo(f"\r\033[K{line[:width]}", err=True, nl=False)
        else:
            click.echo(line, err=True)
