"""The program: `sigseek`, or `python -m sigseek`."""

import os
import sys
from contextlib import suppress


def main() -> None:
    """Run the command line and exit with its status."""
    try:
        from sigseek.cli.main import run
    except KeyboardInterrupt:
        sys.exit(130)
    status = run()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    if os.environ.get("SIGSEEK_ORDERLY_EXIT"):  # for profilers and coverage, which report at exit
        sys.exit(status)
    # Everything is closed by now, and an orderly teardown would add a sixth to a search's time.
    os._exit(status)


if __name__ == "__main__":
    main()
