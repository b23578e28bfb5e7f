"""The process that downloads a checkpoint, through the hub's own client.

`sigseek.siglip.hub` starts it with the checkpoint's name and the seconds that the hub may take to
answer. It answers with a line of JSON each time that it has something to say. The last line has the
checkpoint's directory, or why there is none. When it is asked to end, it removes the file that it
is downloading. In another process, a thread that waits for the hub could not be ended.
"""

import base64
import errno
import json
import pickle
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import TypeAlias

from sigseek.errors import Command, ErrorKind, Option, Remedy
from sigseek.siglip.checkpoint import check_family
from sigseek.siglip.errors import CheckpointError
from sigseek.siglip.hub import damaged, hub_cache

Say: TypeAlias = Callable[[str], None]

_PATTERNS = (
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "spiece.model",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-*.safetensors",
)
_FOR_NOW = (408, 429, *range(500, 600))
"""Statuses with which a hub says that the same request may succeed later."""
_FULL = (errno.ENOSPC, errno.EDQUOT)
"""Numbers of the errors of a disk, or a user's part of it, that is full."""
_OTHER_DISK = "make room, or set HF_HOME to a directory on another disk"
_NEEDED_BYTES_MARGIN = 100_000_000
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_AWAKE = 1.0
"""Seconds between two moments in which this process is woken, whatever it waits for."""
_LARGE = 10_000_000
"""Bytes of a file from which on its download has a progress bar."""


def main() -> None:
    """Download the checkpoint that the command line names."""
    interruption = _Interruption()
    interruption.begin()
    name, timeout = sys.argv[1], float(sys.argv[2])
    answers, sys.stdout = sys.stdout, sys.stderr  # keep what libraries print out of the answers

    def answer(**told: str) -> None:
        answers.write(json.dumps(told) + "\n")
        answers.flush()

    with suppress(KeyboardInterrupt):
        try:
            last = {"directory": str(_download(name, timeout, lambda line: answer(said=line)))}
        except CheckpointError as error:
            last = {"refused": base64.b64encode(pickle.dumps(error)).decode()}
        _ignore_signals()  # whoever has the last answer may end this process
        answer(**last)
    interruption.end()


class _Interruption:
    """Interrupts the download when this process is asked to end.

    A signal that comes just before the process begins to wait for the hub does not end the waiting,
    and Python ignores an interruption that comes while an object is destroyed. So the process is
    woken now and then, and interrupted once more if need be. Windows has no such alarm.
    """

    def __init__(self) -> None:
        self._again_from: float | None = None
        """The moment from which on the download is interrupted once more."""

    def begin(self) -> None:
        """Begin to listen to signals."""
        for number in _SIGNALS:
            signal.signal(number, self._interrupt)
        if hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, self._wake)
            signal.setitimer(signal.ITIMER_REAL, _AWAKE, _AWAKE)

    def end(self) -> None:
        """Interrupt nothing more."""
        self._again_from = None
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _interrupt(self, number: int, frame: object) -> None:
        # A second signal must not interrupt the tidying up, which is done in a moment.
        _ignore_signals()
        self._again_from = time.monotonic() + _AWAKE / 2
        raise KeyboardInterrupt

    def _wake(self, number: int, frame: object) -> None:
        is_due = self._again_from is not None and time.monotonic() >= self._again_from
        if is_due and not _is_tidying_up():
            raise KeyboardInterrupt


def _is_tidying_up() -> bool:
    """Return whether what goes on is done because of an interruption."""
    error = sys.exception()
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__context__
    return False


def _ignore_signals() -> None:
    # Python complains of a signal that came just before SIG_IGN took the place of a function.
    for number in _SIGNALS:
        signal.signal(number, lambda number, frame: None)


def _download(name: str, timeout: float, say: Say) -> Path:
    """Return the directory of the checkpoint's files; CheckpointError where there is none."""
    try:
        return _fetch(name, timeout, say)
    except CheckpointError:
        raise
    # Without a network the client raises the errors of the HTTP library that it is built on.
    except Exception as error:
        raise _explained(name, error) from error


def _explained(name: str, error: Exception) -> CheckpointError:
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    if isinstance(error, HFValidationError):
        return CheckpointError(
            f"'{name}' is neither a directory nor a hub id",
            Remedy("give {} one of the two, or 'mini'", (Option("model"),)),
        )
    if isinstance(error, KeyError | ValueError):
        return damaged(name, error)
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code if error.response is not None else "no"
        if status in _FOR_NOW:
            return CheckpointError(
                f"the hub answered {status} for {name}", "try again later", ErrorKind.UNAVAILABLE
            )
        return CheckpointError(
            f"the hub answered {status} for {name}",
            "check the name, and HF_TOKEN if the checkpoint is private or gated",
            ErrorKind.NOT_FOUND,
        )
    # Errors of the network name no file.
    if isinstance(error, OSError) and (error.filename or error.errno in _FULL):
        return CheckpointError(
            f"{name} cannot be kept in {hub_cache()} ({(error.strerror or str(error)).lower()})",
            _OTHER_DISK,
            ErrorKind.UNAVAILABLE,
        )
    return CheckpointError(
        f"the hub cannot be reached and {name} is not in {hub_cache()}",
        Remedy(
            "give {} a local checkpoint directory, or try sigseek without one: {}",
            (Option("model"), Command("demo")),
        ),
        ErrorKind.UNAVAILABLE,
    )


def _fetch(name: str, timeout: float, say: Say) -> Path:
    """Download the files that are not there, and return their directory; raise whatever the client
    does.

    `config.json` is fetched and checked first, so that no large file of another family is fetched.
    """
    from huggingface_hub import HfApi, constants, hf_hub_download
    from huggingface_hub.utils.tqdm import disable_progress_bars, enable_progress_bars

    ours = constants.HF_HUB_DISABLE_PROGRESS_BARS is None  # the user left it to us
    if ours:
        disable_progress_bars()
    repo, _, revision = name.partition("@")
    wanted = revision or None
    # This comes first: without a network it fails at once, where a download would be tried again
    # for half a minute.
    info = HfApi().model_info(repo, revision=wanted, files_metadata=True, timeout=timeout)
    config = Path(hf_hub_download(repo, "config.json", revision=wanted))
    check_family(json.loads(config.read_text(encoding="utf-8")), name)
    sizes = {
        file.rfilename: file.size or 0
        for file in info.siblings or []
        if any(fnmatch(file.rfilename, pattern) for pattern in _PATTERNS)
    }
    total = sum(sizes.values())
    _check_disk(name, total)
    say(f"downloading {name}, {total / 1e6:,.0f} MB, once")
    # One file after the other in this thread, which a signal interrupts. The client's function for
    # all files has threads of its own, and nothing ends these.
    for file in sorted(sizes, key=lambda name: sizes[name]):
        if ours and sizes[file] >= _LARGE:
            enable_progress_bars()
        hf_hub_download(repo, file, revision=config.parent.name)
    return config.parent


def _check_disk(name: str, size: int) -> None:
    directory = hub_cache()
    while not directory.exists():
        directory = directory.parent
    free = shutil.disk_usage(directory).free
    if free < size + _NEEDED_BYTES_MARGIN:
        raise CheckpointError(
            f"{name} needs {size / 1e6:,.0f} MB and {directory} has {free / 1e6:,.0f} MB free",
            _OTHER_DISK,
            ErrorKind.UNAVAILABLE,
        )


if __name__ == "__main__":
    main()
