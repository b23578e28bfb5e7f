"""Problems with captions, printed for people."""

from collections.abc import Sequence

import click

from sigseek.evaluation.captions import CaptionProblem
from sigseek.results import shown

_MOST = 5


def show_problems(problems: Sequence[CaptionProblem]) -> None:
    """Print the first five on stderr, with their lines, and the number of the others."""
    for problem in problems[:_MOST]:
        where = f"line {problem.line}: " if problem.line is not None else ""
        click.echo(f"warning: {where}{shown(problem.reason)}", err=True)
    if len(problems) > _MOST:
        click.echo(f"warning: and {len(problems) - _MOST:,} more", err=True)
