"""What was wrong with captions, to people."""

from collections.abc import Sequence

import click

from sigseek.cli.output import shown
from sigseek.evaluation.captions import Problem

_MOST = 5


def show_problems(problems: Sequence[Problem]) -> None:
    """The first five on stderr, with their lines, and how many more there are."""
    for problem in problems[:_MOST]:
        where = f"line {problem.line}: " if problem.line is not None else ""
        click.echo(f"warning: {where}{shown(problem.reason)}", err=True)
    if len(problems) > _MOST:
        click.echo(f"warning: and {len(problems) - _MOST:,} more", err=True)
