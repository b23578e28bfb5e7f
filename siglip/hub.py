"""Checkpoints from a Hugging Face hub: those in its cache, and those that are downloaded first.

`sigseek.siglip.hub_process` downloads them with the hub's own client, which honours `HF_HOME`,
`HF_HUB_OFFLINE` and `HF_ENDPOINT`.
"""

import base64
import json
import pickle
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue

from sigseek.errors import ErrorKind
from sigseek.progress import Listener, Stop
from sigseek.siglip.errors import CheckpointError
from sigseek.siglip.processes import command, environment

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(?:@[\w./-]+)?")
_TIMEOUT = 10.0
"""Seconds that the hub may take to answer. The client itself allows as many for a download."""
_LOOK = 0.1
"""Seconds between two looks at whether to stop."""
_PATIENCE = 10.0
"""Seconds that the downloading process gets to tidy up when it is ended. One that is killed leaves
a part of a file.
"""


def is_hub_id(name: str) -> bool:
    """Return whether `name` has the form `OWNER/NAME` or `OWNER/NAME@REVISION`."""
    return (
        _HUB_ID.fullmatch(name) is not None and ".." not in name and not name.startswith((".", "-"))
    )


def download(name: str, listener: Listener, stop: Stop) -> Path:
    """Return the snapshot directory of the hub checkpoint `name`, and download it unless cached.

    `listener` is told the size first. Raises CheckpointError when the hub or the checkpoint cannot
    be reached, or the checkpoint is of another family. When `stop` is set, the download is ended,
    the file that was on its way is removed, and StoppedError is raised; whole files stay.
    """
    repo, _, revision = name.partition("@")
    try:
        cached = _cached(repo, revision or None)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise damaged(name, error) from error
    if cached:
        return cached

    from huggingface_hub import constants

    if not constants.HF_HUB_OFFLINE:
        listener.said(
            f"asking the hub for {name}, which is neither a directory here nor in the hub's cache"
        )
    process = subprocess.Popen(
        [*command("sigseek.siglip.hub_process"), name, str(_TIMEOUT)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,  # its progress bars go to our stderr
        env=environment(),
    )
    with process:
        try:
            return _directory(name, process, listener, stop)
        except BaseException:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE)
            process.kill()
            raise


def _directory(name: str, process: subprocess.Popen[bytes], listener: Listener, stop: Stop) -> Path:
    """Return the directory that the downloading process names in the end."""
    for line in _lines(process, stop):
        answer = json.loads(line)
        if "said" in answer:
            listener.said(answer["said"])
        elif "refused" in answer:
            refusal: CheckpointError = pickle.loads(base64.b64decode(answer["refused"]))
            raise refusal
        else:
            return Path(answer["directory"])
    raise CheckpointError(
        f"the process that downloads {name} ended with status {process.wait()}",
        "try again",
        ErrorKind.UNAVAILABLE,
    )


def _lines(process: subprocess.Popen[bytes], stop: Stop) -> Iterator[bytes]:
    """Yield the lines that the process writes, and look at whether to stop meanwhile."""
    lines: SimpleQueue[bytes] = SimpleQueue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put(b"")

    reading = threading.Thread(target=read, name="sigseek-download", daemon=True)
    reading.start()
    while True:
        stop.check()
        with suppress(Empty):
            line = lines.get(timeout=_LOOK)
            if not line:
                return
            yield line


def _cached(repo: str, revision: str | None) -> Path | None:
    """Return the cached snapshot if it has all files that a checkpoint needs.

    The cache's layout is documented (huggingface.co/docs/huggingface_hub/guides/manage-cache). The
    client's own functions import its network side, which takes longer than scanning 40,000 files.
    """
    kept = hub_cache() / f"models--{repo.replace('/', '--')}"
    reference = kept / "refs" / (revision or "main")
    commit = reference.read_text().strip() if reference.is_file() else revision
    if not commit or not (kept / "snapshots" / commit / "config.json").is_file():
        return None
    directory = kept / "snapshots" / commit
    index = directory / "model.safetensors.index.json"
    names = (
        set(json.loads(index.read_text())["weight_map"].values())
        if index.is_file()
        else {"model.safetensors"}
    )
    whole = all((directory / name).is_file() for name in names)
    processor = any(
        (directory / name).is_file()
        for name in ("preprocessor_config.json", "processor_config.json")
    )
    tokenizer = any((directory / name).is_file() for name in ("spiece.model", "tokenizer.json"))
    return directory if whole and processor and tokenizer else None


def damaged(name: str, error: Exception) -> CheckpointError:
    """Return what is wrong with a checkpoint whose files are not what they should be."""
    return CheckpointError(
        f"the files of {name} on the hub or in its cache are damaged ({error})",
        f"remove them from {hub_cache()}",
        ErrorKind.DAMAGED,
    )


def hub_cache() -> Path:
    """Return the directory that the hub's client keeps checkpoints in."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)
