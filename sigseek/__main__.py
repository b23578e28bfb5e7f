"""The program: `sigseek`, or `python -m sigseek`."""

import sys

from sigseek.rooms import HiddenPackageError, check_rooms


def main() -> None:
    """Run the command line and exit with its status."""
    try:
        check_rooms()
    except HiddenPackageError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    try:
        from sigseek.cli.main import run
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(run())


if __name__ == "__main__":
    main()
