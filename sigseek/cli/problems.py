"""Problems with files, printed for people."""

from collections.abc import Sequence

import click

from sigseek.progress import Problem
from sigseek.results import shown

_MOST = 5


def show_problems(problems: Sequence[Problem]) -> None:
    """Print the first five on stderr, and the number of the others."""
    for problem in problems[:_MOST]:
        click.echo(f"warning: {shown(problem.path)}: {shown(problem.reason)}", err=True)
    if len(problems) > _MOST:
        click.echo(f"warning: and {len(problems) - _MOST:,} more", err=True)
