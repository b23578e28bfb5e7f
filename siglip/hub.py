"""Checkpoints from a Hugging Face hub, through the hub's own client.

The client honours `HF_HOME`, `HF_HUB_OFFLINE` and `HF_ENDPOINT`.
"""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sigseek.errors import Command, ErrorKind, Option, Remedy
from sigseek.progress import Listener
from sigseek.siglip.errors import CheckpointError

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
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(?:@[\w./-]+)?")
_NEEDED_BYTES_MARGIN = 100_000_000
_TIMEOUT = 10.0
"""Seconds that the hub may take to answer. The client itself allows as many for a download."""


def is_hub_id(name: str) -> bool:
    """Return whether `name` has the form `OWNER/NAME` or `OWNER/NAME@REVISION`."""
    return (
        _HUB_ID.fullmatch(name) is not None and ".." not in name and not name.startswith((".", "-"))
    )


def download(
    name: str, check_config: Callable[[dict[str, Any], str], None], listener: Listener
) -> Path:
    """Return the snapshot directory of the hub checkpoint `name`, and download it unless cached.

    `config.json` is fetched first and passed to `check_config`, so that no large file of another
    family is fetched. Raises CheckpointError when the hub or the checkpoint cannot be reached.
    """
    repo, _, revision = name.partition("@")
    wanted = revision or None
    try:
        cached = _cached(repo, wanted)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _damaged(name, error) from error
    if cached:
        return cached

    from huggingface_hub import constants

    if not constants.HF_HUB_OFFLINE:
        listener.said(
            f"asking the hub for {name}, which is neither a directory here nor in the hub's cache"
        )
    try:
        return _fetch(name, check_config, listener)
    except CheckpointError:
        raise
    # Without a network the client raises the errors of the HTTP library that it is built on.
    except Exception as error:
        raise _explained(name, error) from error


def _fetch(
    name: str, check_config: Callable[[dict[str, Any], str], None], listener: Listener
) -> Path:
    """Download the checkpoint and return its snapshot directory; raise whatever the client does."""
    from fnmatch import fnmatch

    from huggingface_hub import HfApi, hf_hub_download, snapshot_download

    repo, _, revision = name.partition("@")
    wanted = revision or None
    # This comes first: without a network it fails at once, where a download would be tried again
    # for half a minute.
    found = HfApi().model_info(repo, revision=wanted, files_metadata=True, timeout=_TIMEOUT)
    config = hf_hub_download(repo, "config.json", revision=wanted)
    check_config(json.loads(Path(config).read_text(encoding="utf-8")), name)
    sizes = [
        file.size or 0
        for file in found.siblings or []
        if any(fnmatch(file.rfilename, pattern) for pattern in _PATTERNS)
    ]
    _check_disk(name, sum(sizes))
    listener.said(f"downloading {name}, {sum(sizes) / 1e6:,.0f} MB, once")
    return Path(snapshot_download(repo, revision=wanted, allow_patterns=list(_PATTERNS)))


def _explained(name: str, error: Exception) -> CheckpointError:
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    if isinstance(error, HFValidationError):
        return CheckpointError(
            f"'{name}' is neither a directory nor a hub id",
            Remedy("give {} one of the two, or 'mini'", (Option("model"),)),
        )
    if isinstance(error, KeyError | ValueError):
        return _damaged(name, error)
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code if error.response is not None else "no"
        return CheckpointError(
            f"the hub answered {status} for {name}",
            "check the name, and HF_TOKEN if the checkpoint is private or gated",
            ErrorKind.NOT_FOUND,
        )
    return CheckpointError(
        f"the hub cannot be reached and {name} is not in {_cache_directory()}",
        Remedy(
            "give {} a local checkpoint directory, or try sigseek without one: {}",
            (Option("model"), Command("demo")),
        ),
        ErrorKind.UNAVAILABLE,
    )


def _cached(repo: str, revision: str | None) -> Path | None:
    """Return the cached snapshot if it has all files that a checkpoint needs.

    The cache's layout is documented (huggingface.co/docs/huggingface_hub/guides/manage-cache). The
    client's own functions import its network side, which takes longer than scanning 40,000 files.
    """
    kept = _cache_directory() / f"models--{repo.replace('/', '--')}"
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


def _damaged(name: str, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"the files of {name} on the hub or in its cache are damaged ({error})",
        f"remove them from {_cache_directory()}",
        ErrorKind.DAMAGED,
    )


def _cache_directory() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def _check_disk(name: str, size: int) -> None:
    directory = _cache_directory()
    while not directory.exists():
        directory = directory.parent
    free = shutil.disk_usage(directory).free
    if free < size + _NEEDED_BYTES_MARGIN:
        raise CheckpointError(
            f"{name} needs {size / 1e6:,.0f} MB and {directory} has {free / 1e6:,.0f} MB free",
            "make room, or set HF_HOME to a directory on another disk",
            ErrorKind.UNAVAILABLE,
        )
