"""Forms with files, which are written to disk while they arrive and refused once they are too much.

Whoever sends them is not trusted: not the lengths and names that are given, and not the contents,
which are only ever decoded in guarded processes.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import BinaryIO

import anyio.to_thread
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from sigseek.web.problems import RequestError

_FILE = "file"
"""The name of every file in a form."""
_MOST_FIELDS = 1_000
_LONGEST_FIELD = 10_000
"""Bytes of the value of one field."""
_LONGEST_NAME = 200
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")


@dataclass(frozen=True)
class ReceivedFile:
    """A file that somebody sent."""

    path: Path
    """Where it is now."""
    name: str
    """The name that the sender gave it, for people alone."""


@dataclass
class Form:
    """The fields of a form and the files in it, in the order in which they came."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    files: list[ReceivedFile] = field(default_factory=list)

    def remove(self) -> None:
        """Remove the files that are still there."""
        for file in self.files:
            with suppress(OSError):
                file.path.unlink(missing_ok=True)


class FormReader:
    """Reads one form. `new_file` makes an empty file with a suffix and returns its path."""

    def __init__(self, new_file: Callable[[str], Path], most_files: int) -> None:
        self.form = Form()
        self._new_file = new_file
        self._most_files = most_files
        self._header_name = self._header_value = b""
        self._headers: dict[bytes, bytes] = {}
        self._field_name = ""
        self._field_value = bytearray()
        self._fields = 0
        self._file: BinaryIO | None = None
        self._chunks: list[tuple[BinaryIO, bytes]] = []
        self._full: list[BinaryIO] = []
        self._is_whole = False

    async def read(self, content_type: str, chunks: AsyncIterator[bytes]) -> None:
        """Read the body into `form`. Raises RequestError for one that is not a form or too much."""
        parser = self._parser(content_type)
        try:
            async for chunk in chunks:
                try:
                    parser.write(chunk)
                except FormParserError as error:
                    raise _no_form() from error
                if self._chunks or self._full:
                    await anyio.to_thread.run_sync(self._write)
        finally:
            for file in (*self._full, self._file):
                if file:
                    file.close()
        if not self._is_whole:
            raise RequestError(400, "the form is not whole", "send it again")

    def _parser(self, content_type: str) -> MultipartParser:
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise RequestError(415, "the request is not a form", "send it as multipart/form-data")
        try:
            return MultipartParser(
                options[b"boundary"],
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._add_header_name,
                    "on_header_value": self._add_header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._begin_value,
                    "on_part_data": self._add_value,
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:  # a boundary of thousands of characters, for example
            raise _no_form() from error

    def _write(self) -> None:
        """Write to disk what the last chunk brought."""
        for file, piece in self._chunks:
            file.write(piece)
        for file in self._full:
            file.close()
        self._chunks, self._full = [], []

    def _begin_part(self) -> None:
        self._headers = {}

    def _add_header_name(self, chunk: bytes, start: int, end: int) -> None:
        self._header_name += chunk[start:end]

    def _add_header_value(self, chunk: bytes, start: int, end: int) -> None:
        self._header_value += chunk[start:end]

    def _end_header(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name = self._header_value = b""

    def _begin_value(self) -> None:
        """Begin a file or a field, as the headers of the part say."""
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._field_name = _text(options.get(b"name", b""))
        self._field_value = bytearray()
        if b"filename" not in options:
            self._fields += 1
            if self._fields > _MOST_FIELDS:
                raise RequestError(
                    413, f"the form has more than {_MOST_FIELDS:,} fields", "send fewer at a time"
                )
            return
        if self._field_name != _FILE:
            found = f"{self._field_name[:100]}: there is no such file here"
            raise RequestError(422, found, f"send pictures as `{_FILE}`")
        if len(self.form.files) == self._most_files:
            raise RequestError(
                413, f"there are more files than {self._most_files}", "send fewer at a time"
            )
        name = _plain_name(options[b"filename"].decode("utf-8", "replace"))
        suffix = PurePath(name).suffix
        path = self._new_file(suffix if _SUFFIX.fullmatch(suffix) else "")
        self.form.files.append(ReceivedFile(path, name))
        self._file = path.open("wb")

    def _add_value(self, chunk: bytes, start: int, end: int) -> None:
        if self._file:
            self._chunks.append((self._file, chunk[start:end]))
            return
        self._field_value += chunk[start:end]
        if len(self._field_value) > _LONGEST_FIELD:
            raise RequestError(
                413, f"a field is longer than {_LONGEST_FIELD:,} bytes", "send a shorter one"
            )

    def _end_part(self) -> None:
        if self._file:
            self._full.append(self._file)
            self._file = None
        else:
            value = _text(self._field_value)
            self.form.fields.setdefault(self._field_name, []).append(value)

    def _end(self) -> None:
        self._is_whole = True


def _text(content: bytes | bytearray) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise RequestError(422, "a field of the form is not UTF-8", "send it in UTF-8") from error


def _no_form() -> RequestError:
    return RequestError(400, "the form cannot be read", "send it as multipart/form-data")


def _plain_name(name: str) -> str:
    """Return the last part of a file's name, as it may be shown to a person."""
    last = re.split(r"[/\\]", name)[-1]
    shown = "".join(character if character.isprintable() else "?" for character in last)
    return shown[-_LONGEST_NAME:] or "picture"
