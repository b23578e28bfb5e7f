"""Progress on stderr: count, rate, time left."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sigseek.indexer import Progress

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

    def show_indexing(self, progress: Progress) -> None:
        """What `Library.index` reports."""
        self.show(
            progress.done, progress.total, f"{progress.failed} failed" if progress.failed else ""
        )
