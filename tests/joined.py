"""A process that indexes together with others, for tests that kill it: it is started again.

python -m tests.joined LIBRARY FOLDER [--lease SECONDS] [--slow SECONDS] [--poison NAME]
    [--mount PATH=HERE]
"""

import argparse
import os
import signal
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from sigseek.__main__ import main as program
from sigseek.indexer import ingest, shared_work


def main() -> None:
    """Index with mini, as slowly as asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("library")
    parser.add_argument("folder")
    parser.add_argument("--lease", type=float, default=60.0)
    parser.add_argument("--slow", type=float, default=0.0, help="seconds that each file takes")
    parser.add_argument("--poison", help="the name of a file that kills the process")
    parser.add_argument("--mount", action="append", default=[])
    args = parser.parse_args()
    shared_work.LEASE = timedelta(seconds=args.lease)
    # few at a time, so that one process does not take all of a few photos
    shared_work._FIRST, shared_work._FEWEST, ingest._AHEAD = 2, 2, 2
    digest_file = ingest.digest_file

    def digest_slowly(path: Path, *given: Any) -> Any:
        if path.name == args.poison:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(args.slow)
        return digest_file(path, *given)

    ingest.digest_file = digest_slowly
    words = ["index", args.folder, "--library", args.library, "--model", "mini", "--json", "--join"]
    words += [word for mount in args.mount for word in ("--mount", mount)]
    sys.argv = ["sigseek", *words]
    program()


if __name__ == "__main__":
    main()
