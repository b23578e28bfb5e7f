"""What commands print: JSON lines for programs, tables with bars for people."""

import json
import re
import shlex
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from sigseek.cli.remedies import spell, typed_library
from sigseek.errors import SigseekError
from sigseek.indexer import IndexReport

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_BAR = 10
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_ADVISED = re.compile(
    r"(?<=: )sigseek (backup|failures|forget|index|prune|relocate|search|status|tag|verify|watch)\b"
)


def print_json(record: "DataclassInstance") -> None:
    """A dataclass as one line of JSON. ASCII, so that a path of any bytes survives any pipe."""
    click.echo(json.dumps(record_fields(record), default=_iso))


def record_fields(record: "DataclassInstance") -> dict[str, Any]:
    """The dataclass's fields; `terms` and `closer` only where they were asked for."""
    fields = asdict(record)
    for name in ("terms", "closer"):
        if fields.get(name, ...) is None:
            del fields[name]
    return fields


def print_report(report: IndexReport) -> None:
    """What an indexing run did, in a line."""
    counts = ("added", "changed", "moved", "unchanged", "missing", "offline", "failed")
    parts = [f"{getattr(report, name):,} {name}" for name in counts if getattr(report, name)]
    how = f"{report.device} in {report.precision}, {report.batch} at a time, {report.threads} threads decoding"
    rate = f", {report.images_per_second:.1f} images/s on {how}" if report.device else ""
    click.echo(
        f"{counted(report.scanned, 'picture')}: {', '.join(parts) or 'nothing'} ({report.seconds:.1f} s{rate}, {report.model})"
    )
    if report.offline:
        offline = "folders that are not there, or empty, are offline: their photos stay; to drop one: sigseek forget"
        click.echo(advice(offline), err=True)
    if report.failed:
        click.echo(advice("what could not be used, and why: sigseek failures"), err=True)


def advice(text: str) -> str:
    """The text, with the --library that the user typed in the commands that it names: without, they
    would be about another.
    """
    library = typed_library()
    return (
        _ADVISED.sub(lambda found: f"{found[0]} --library {shlex.quote(library)}", text)
        if library is not None
        else text
    )


def one_line(error: Exception) -> str:
    """An error as the line that a person reads: what was found, and what to do."""
    if isinstance(error, OSError) and error.strerror:
        about = f"{error.filename}: " if error.filename else ""
        return f"{about}{error.strerror.lower()}; check the disk and its permissions"
    line = (
        error.spelled(spell)
        if isinstance(error, SigseekError) and error.remedy
        else advice(str(error))
    )
    return " ".join(line.split())


def bar(share: float) -> str:
    """A share of 0 to 1 as a bar ten characters wide."""
    eighths = round(min(max(share, 0.0), 1.0) * _BAR * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(_BAR)


def shown(path: str) -> str:
    """A path for a terminal: control characters, which could steer it, are spelled out."""
    return "".join(
        c if c.isprintable() or "\udc80" <= c <= "\udcff" else repr(c)[1:-1] for c in path
    )


def counted(number: int, noun: str) -> str:
    """How many there are of what `noun` names in the singular."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def bytes_shown(size: int) -> str:
    """A size as a person reads it."""
    amount = float(size)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def _iso(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat() + "Z"
    raise TypeError(f"{type(value).__name__} has no JSON form")
