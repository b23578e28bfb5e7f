"""Progress on stderr: count, rate, time left."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

from sigseek.cli.remedies import spell
from sigseek.errors import Remedy
from sigseek.progress import Phase, Problem, Progress, Silence

if TYPE_CHECKING:
    from tqdm import tqdm


class ProgressBar:
    """A context manager that shows a bar on a terminal, and a line every ten seconds elsewhere.

    The bar appears at the first call of `show` that leaves something to do.
    """

    def __init__(self, doing: str, unit: str) -> None:
        self._doing = doing
        self._unit = unit
        self._bar: tqdm | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, done: int, total: int, note: str = "") -> None:
        """Show `done` of `total`. What the first call says is done does not count in the rate."""
        if self._bar is None:
            if done == total:
                return
            from tqdm import tqdm  # takes as long to load as a thousand files to look at

            self._bar = tqdm(
                total=total,
                initial=done,
                desc=self._doing,
                unit=f" {self._unit}",
                file=sys.stderr,
                mininterval=0.1 if sys.stderr.isatty() else 10,
                dynamic_ncols=True,
            )
        self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(done - self._bar.n)
        if done == total:
            self._bar.close()
            self._bar = None


class Announcer(Silence):
    """A listener that prints the lines that it is told, and nothing else."""

    def said(self, line: str | Remedy) -> None:
        """Print a line about something that takes long."""
        click.echo(_spelled(line), err=True)


def _spelled(line: str | Remedy) -> str:
    """Return the line with its commands and options as a person types them."""
    return line if isinstance(line, str) else line.spelled(spell)


_UNITS = {
    Phase.EMBEDDING: "images",
    Phase.EMBEDDING_TEXTS: "texts",
    Phase.READING: "photos",
    Phase.HASHING: "photos",
    Phase.MEASURING: "texts",
    Phase.TAGGING: "labels",
    Phase.COMPARING: "photos",
    Phase.COPYING: "rows",
    Phase.CHECKING_EMBEDDINGS: "embeddings",
    Phase.CHECKING_FILES: "files",
}
"""What is counted in the phases that show a bar."""


class RunProgress:
    """A listener that shows a run's progress, and a context manager.

    A phase that can be counted shows a bar, when there are at least `least` items. On a terminal
    the other phases are named while they last.
    """

    def __init__(self, least: int = 1) -> None:
        self._least = least
        self._phase: Phase | None = None
        self._bar: ProgressBar | None = None
        self._named = False
        """Whether the line under the cursor names a phase."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end_phase()

    def advanced(self, progress: Progress) -> None:
        """Show how far the run is."""
        if progress.phase is Phase.PREPARING:
            if self._bar is None:  # with a bar, that stands still meanwhile
                self._name(progress.phase)
            return
        if progress.phase is not self._phase:
            self._end_phase()
            self._phase = progress.phase
            unit = _UNITS.get(progress.phase)
            self._bar = ProgressBar(progress.phase.value, unit) if unit else None
            self._name(progress.phase)
        if self._bar is not None and progress.total is not None and progress.total >= self._least:
            self._clear()
            # The number counts files, and later phases count other things.
            of_files = progress.failed if progress.phase is Phase.EMBEDDING else 0
            note = f"{of_files:,} failed" if of_files else ""
            self._bar.show(progress.done, progress.total, note)

    def said(self, line: str | Remedy) -> None:
        """Print a line about something that takes long."""
        self._clear()
        click.echo(_spelled(line), err=True)

    def met(self, problem: Problem) -> None:
        """Print nothing: the report counts failures, and `sigseek failures` lists them."""

    def _end_phase(self) -> None:
        self._clear()
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None

    def _name(self, phase: Phase) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r\033[K{phase.value} ...", err=True, nl=False)
            self._named = True

    def _clear(self) -> None:
        if self._named:
            click.echo("\r\033[K", err=True, nl=False)
            self._named = False


class NotingProgress(RunProgress):
    """A listener that shows progress, and keeps the problems that it is told of."""

    def __init__(self, least: int = 1) -> None:
        super().__init__(least)
        self.problems: list[Problem] = []

    def met(self, problem: Problem) -> None:
        """Keep the problem, to be printed when the bars are gone."""
        self.problems.append(problem)
