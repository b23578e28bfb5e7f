"""Progress on stderr: count, rate, time left."""

import sys
from types import TracebackType
from typing import Self

from tqdm import tqdm

from indexer import Progress


class ProgressBar:
    """A bar on a terminal, a line every ten seconds elsewhere. A context manager; `show` is what `Library.index` calls."""

    def __init__(self, doing: str, unit: str, total: int | None = None) -> None:
        self._bar = tqdm(
            total=total,
            desc=doing,
            unit=f" {unit}",
            file=sys.stderr,
            mininterval=0.1 if sys.stderr.isatty() else 10,
            dynamic_ncols=True,
            leave=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.close()

    def advance(self) -> None:
        """One more is done."""
        self._bar.update()

    def show(self, progress: Progress) -> None:
        """Where an indexing run stands."""
        if self._bar.total is None:
            # What the scan settled took no time worth a rate.
            self._bar.total, self._bar.initial, self._bar.n = progress.total, progress.done, progress.done
            self._bar.refresh()
        if progress.failed:
            self._bar.set_postfix_str(f"{progress.failed} failed", refresh=False)
        self._bar.update(progress.done - self._bar.n)
