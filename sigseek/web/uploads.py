"""Pictures that callers send: for one request, or for searches by them during some minutes."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fastapi import Request
from starlette.requests import ClientDisconnect

from sigseek.errors import ErrorKind, SigseekError
from sigseek.web.form_reader import Form, FormReader, ReceivedFile
from sigseek.web.problems import RequestError
from sigseek.web.settings import Settings
from sigseek.web.upload_directory import UploadDirectory
from sigseek.web.work import too_many

MOST_FILES = 32
"""Files in one request."""
_MOST_ARRIVING = 16
"""Requests whose files arrive at the same time; it bounds what they take of the disk."""
PREFIX = "upload-"
"""How the name of an uploaded picture begins in queries: `photo:upload-TOKEN`."""


@dataclass(frozen=True)
class KeptUpload:
    """An uploaded picture that searches may name."""

    file: ReceivedFile
    thumbnail: bytes
    """A small JPEG of it."""
    until: float
    """The time, of the monotonic clock, after which it is gone."""


class Uploads(Mapping[str, Path]):
    """The files that callers have sent. As a mapping it has the path of each picture that is kept
    for searches, by its name in queries. Several threads may use it.
    """

    def __init__(self, place: Path, settings: Settings) -> None:
        self._place = place
        self._settings = settings
        self._directory: UploadDirectory | None = None
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, KeptUpload] = OrderedDict()
        self._arriving = 0

    def open(self) -> UploadDirectory:
        """Return the directory of the files. The first call makes it, and removes what servers that
        were killed have left.
        """
        with self._lock:
            if self._directory is None:
                self._directory = UploadDirectory(self._place)
            return self._directory

    def close(self) -> None:
        """Remove all files."""
        with self._lock:
            if self._directory:
                self._directory.close()
                self._directory = None

    @asynccontextmanager
    async def receive(self, request: Request, most_files: int = MOST_FILES) -> AsyncIterator[Form]:
        """Give the form that a request sends, and remove its files at the end.

        Raises RequestError for one that has too many files or is none, and when too many others
        arrive.
        """
        if self._arriving >= _MOST_ARRIVING:
            raise too_many("uploads")
        reader = FormReader(self.open().new_file, most_files)
        self._arriving += 1
        try:
            await _read(reader, request)
        except BaseException:
            reader.form.remove()
            raise
        finally:
            self._arriving -= 1
        try:
            yield reader.form
        finally:
            reader.form.remove()

    def keep(self, file: ReceivedFile, thumbnail: bytes) -> str:
        """Keep a picture for searches, and return its token. The oldest one goes when there are too
        many. The thread must be that of the event loop.
        """
        token = secrets.token_hex(16)
        place = self.open().new_file(file.path.suffix)
        file.path.replace(place)
        kept = KeptUpload(
            ReceivedFile(place, file.name),
            thumbnail,
            time.monotonic() + self._settings.upload_seconds,
        )
        with self._lock:
            self._kept[token] = kept
        self._drop_old()
        # Nobody may ask for it again, and it must not stay on the disk then.
        asyncio.get_running_loop().call_later(self._settings.upload_seconds + 0.1, self._drop_old)
        return token

    def find(self, token: str) -> KeptUpload | None:
        """Return the picture of this token; None where there is none, or none any more."""
        self._drop_old()
        return self._kept.get(token)

    def __getitem__(self, name: str) -> Path:
        found = self.find(name.removeprefix(PREFIX)) if name.startswith(PREFIX) else None
        if found is None:
            raise KeyError(name)
        return found.file.path

    def __iter__(self) -> Iterator[str]:
        self._drop_old()
        return iter([PREFIX + token for token in self._kept])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def _drop_old(self) -> None:
        dropped = []
        with self._lock:
            while self._kept:
                token, oldest = next(iter(self._kept.items()))
                is_over = oldest.until <= time.monotonic()
                if not is_over and len(self._kept) <= self._settings.max_uploads:
                    break
                dropped.append(self._kept.pop(token))
        for upload in dropped:
            with suppress(OSError):
                upload.file.path.unlink(missing_ok=True)


async def _read(reader: FormReader, request: Request) -> None:
    try:
        await reader.read(request.headers.get("content-type", ""), request.stream())
    except ClientDisconnect as error:
        raise RequestError(400, "the request ended too early", "send it again") from error


def unusable(file: ReceivedFile, error: SigseekError) -> RequestError:
    """Return the error of a picture that was sent and cannot be used. It is the sender's to mend,
    whatever its kind.
    """
    status = 415 if error.kind is ErrorKind.UNSUPPORTED else 422
    found = error.found.replace(str(file.path), file.name)
    if not found.startswith(file.name):
        found = f"{file.name} cannot be used ({found})"
    return RequestError(status, found, "send another picture", kind="unsupported")
