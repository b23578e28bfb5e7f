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
    # Everything is closed by now. To take down the interpreter and what it loaded piece by piece
    # would take a sixth of a search's time, and nobody needs it.
    os._exit(status)


if __name__ == "__main__":
    main()
