"""A listener for tests."""

from collections.abc import Callable

from sigseek.errors import Remedy
from sigseek.progress import Problem, Progress


class Heard:
    """A listener that notes what it is told, and may do something at each moment."""

    def __init__(self, at: Callable[[Progress], None] = lambda progress: None) -> None:
        self.progress: list[Progress] = []
        self.lines: list[str] = []
        self.problems: list[Problem] = []
        self._at = at

    def advanced(self, progress: Progress) -> None:
        self.progress.append(progress)
        self._at(progress)

    def said(self, line: str | Remedy) -> None:
        self.lines.append(str(line))

    def met(self, problem: Problem) -> None:
        self.problems.append(problem)
