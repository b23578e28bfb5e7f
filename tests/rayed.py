"""A process that indexes with two workers on a local Ray, slowly, for tests that interrupt it and
kill workers: python -m tests.rayed LIBRARY FOLDER
"""

import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sigseek.__main__ import main as program
from sigseek.errors import SigseekError
from sigseek.indexer import IndexReport
from sigseek.operations import ray_workers


class SlowWorker(ray_workers.RayWorker):
    """A worker that claims few files at a time, and takes its time with each."""

    def work(self) -> IndexReport | SigseekError:
        from sigseek.indexer import ingest, shared_work

        digest_file = ingest.digest_file

        def digest_slowly(path: Path, *given: Any) -> Any:
            time.sleep(0.3)
            return digest_file(path, *given)

        with (
            patch.object(ingest, "digest_file", digest_slowly),
            patch.object(ingest, "_AHEAD", 2),
            patch.object(shared_work, "_FIRST", 2),
            patch.object(shared_work, "_FEWEST", 2),
            patch.object(shared_work, "LEASE", timedelta(seconds=2)),
        ):
            return super().work()


def main() -> None:
    library, folder = sys.argv[1:]
    words = ["index", folder, "--library", library, "--model", "mini", "--json"]
    sys.argv = ["sigseek", *words, "--ray", "local", "--ray-workers", "2", "--ray-cores", "1"]
    with patch.object(ray_workers, "RayWorker", SlowWorker):
        program()


if __name__ == "__main__":
    main()
