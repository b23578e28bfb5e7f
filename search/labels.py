"""Labels to sort photos by: their names, and the texts that the model reads for them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sigseek.errors import ErrorKind, Option, Remedy
from sigseek.search.errors import QueryError, printable

DEFAULT_TEMPLATE = "This is a photo of {}."
"""The template of transformers' zero-shot image classification pipeline."""


@dataclass(frozen=True)
class Label:
    """A label has a name and the text that the model reads for it. Without a text, the model reads
    the template with the name in it.
    """

    name: str
    text: str | None = None

    def fill(self, template: str) -> str:
        """Return what the model reads: the label's text, or the template with the name at `{}`."""
        return template.replace("{}", self.name) if self.text is None else self.text


def read_labels(path: Path) -> tuple[Label, ...]:
    """Read the labels of a UTF-8 file with `parse_labels`. Raises QueryError if there are none or
    the file cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise QueryError(
            f"cannot read labels from {path.absolute()} ({reason})",
            "name a text file with a label on each line",
            ErrorKind.UNAVAILABLE,
        ) from error
    try:
        labels = parse_labels(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise QueryError(f"{path} is not UTF-8 in line {line}", "save it as UTF-8") from error
    except QueryError as error:
        raise QueryError(f"{path}: {error.found}", error.remedy, error.kind) from error
    if not labels:
        raise QueryError(f"no label in {path}", "write one on each line")
    return labels


def parse_labels(lines: str) -> tuple[Label, ...]:
    """Read each line with `parse_label`; labels come in the order of first mention. Blank lines and
    lines that begin with # are skipped.

    Raises QueryError, with the number of the line, for a label that cannot be read, and for a label
    with two texts.
    """
    found = []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", lines), 1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            try:
                found.append(parse_label(stripped))
            except QueryError as error:
                raise QueryError(f"line {number}: {error.found}", error.remedy) from error
    return distinct_labels(found)


def parse_label(typed: str) -> Label:
    """Read a label from `NAME` or `NAME = TEXT`, without the spaces around either. Raises
    QueryError if either is missing.
    """
    name, equals, text = (part.strip() for part in typed.partition("="))
    if equals and not (name and text):
        raise QueryError(
            f"'{printable(typed)}' has nothing {'after' if name else 'before'} its =",
            "write NAME = TEXT",
        )
    return Label(name, text or None)


def distinct_labels(labels: Iterable[str | Label]) -> tuple[Label, ...]:
    """Return each label once, in the order of first mention. A string is a label's name.

    Raises QueryError for what is not a label, for an empty name or text, for one that is not valid
    Unicode, and for two texts of one name.
    """
    known: dict[str, Label] = {}
    for label in (Label(given) if isinstance(given, str) else given for given in labels):
        if not isinstance(label, Label):
            raise QueryError(f"{label!r} is not a label", "give texts, or values of class Label")
        if not label.name.strip() or (label.text is not None and not label.text.strip()):
            raise QueryError("an empty label", "write its name, or NAME = TEXT")
        _check_unicode(label)
        if known.setdefault(label.name, label) != label:
            raise QueryError(
                f"the label '{printable(label.name)}' comes with two different texts",
                "leave it one",
            )
    return tuple(known.values())


def label_texts(labels: Sequence[Label], template: str) -> list[str]:
    """Return what the model reads for each label. Raises QueryError without labels, or without `{}`
    in the template.
    """
    if not labels:
        raise QueryError("no label", Remedy("give at least one in {}", (Option("labels"),)))
    if "{}" not in template:
        raise QueryError(
            f"the template '{template}' has no {{}} for the label",
            f"write for example '{DEFAULT_TEMPLATE}'",
        )
    return [label.fill(template) for label in labels]


def _check_unicode(label: Label) -> None:
    try:
        f"{label.name}{label.text}".encode()
    except UnicodeEncodeError as error:
        name = printable(label.name.encode(errors="backslashreplace").decode())
        raise QueryError(f"the label '{name}' is not UTF-8", "write it in UTF-8") from error
    if "\0" in f"{label.name}{label.text}":  # PostgreSQL keeps no such text
        raise QueryError(
            f"the label '{printable(label.name)}' has a NUL character", "write it without"
        )
