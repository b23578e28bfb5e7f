"""Progress on stderr: count, rate, time left."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

from sigseek.progress import Phase, Problem, Progress

if TYPE_CHECKING:
    from tqdm import tqdm


class ProgressBar:
    """A bar on a terminal, a line every ten seconds elsewhere; it appears once there is something
    to do. A context manager.
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
        """`done` of `total`; what was done before the first call counts as done but not towards the
        rate.
        """
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


_UNITS = {Phase.EMBEDDING: "images", Phase.MEASURING: "texts"}
"""What the phases that can be counted count."""


class RunProgress:
    """The progress of `Library.index`: a listener, and a context manager.

    The phases that can be counted have a bar each. On a terminal the others are named meanwhile.
    """

    def __init__(self) -> None:
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
        if self._bar is not None and progress.total is not None:
            self._clear()
            failed = f"{progress.failed:,} failed" if progress.failed else ""
            self._bar.show(progress.done, progress.total, failed)

    def said(self, line: str) -> None:
        """Show the line."""
        self._clear()
        click.echo(line, err=True)

    def met(self, problem: Problem) -> None:
        """Leave it to the report, which counts the failures."""

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
