"""The `sigseek` command: its subcommands, and what becomes of their errors."""

import gc
import logging
import os
import sys
import warnings
from importlib import import_module

import click

from sigseek import __version__
from sigseek.errors import SigseekError

COMMANDS = {
    "index": "Add folders and bring the library up to date with them.",
    "watch": "Keep the library up to date with its folders as they change.",
    "search": "Find photos by what they show.",
    "similar": "Find photos like a photo.",
    "classify": "Say how well each label fits a photo.",
    "tag": "Keep labels with the photos that match them.",
    "calibrate": "Fit scores to probabilities on captioned pictures.",
    "eval": "Measure how well a checkpoint finds captioned pictures.",
    "status": "Show what the library holds: folders, counts, checkpoint, sizes, when last indexed.",
    "failures": "List the files that could not be used, and why.",
    "verify": "Check the library: catalog, index and files against each other.",
    "relocate": "Tell the library that a folder lies elsewhere now.",
    "forget": "Take a folder out of the library, or, with --model, a checkpoint.",
    "prune": "Forget files that have long been missing.",
    "backup": "Copy the library's catalog to a new file, also while it is in use.",
    "demo": "Draw pictures, index them, search them, show the results.",
}
"""Each command's name and the first line of its help, which `sigseek --help` shows without loading
any of them.
"""
_MODULES = {"eval": "evaluate"}  # a function `eval` would hide Python's own


class _LazyGroup(click.Group):
    """Loads a subcommand's module when it is used: `--help` must not wait for what only indexing
    needs.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = _MODULES.get(name, name)
        # What modules bring stays until the end: the collector would look through it in vain, again
        # and again.
        gc.disable()
        command: click.Command = getattr(import_module(f"sigseek.cli.{module}"), module)
        gc.freeze()
        gc.enable()
        return command


@click.command(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="sigseek")
def cli() -> None:
    """Find photos by what is in them.

    \b
    Try it without photos or downloads of your own:
        sigseek demo
    Then with your photos; the first run fetches the model, once:
        sigseek index ~/Pictures
        sigseek search "two cats on a sofa"
        sigseek similar ~/Pictures/cat.jpg
    """


def run() -> int:
    """Run the command line; the exit status: 0, 1 after an error, 2 for wrong syntax, 130 when
    interrupted.
    """
    _prepare_streams()
    try:
        status: int | None = cli.main(prog_name="sigseek", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; what was finished is kept", err=True)
        return 130
    except (
        BrokenPipeError,
        SystemExit,
    ):  # the reader of our output, `head` for example, has seen enough: click then exits
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (SigseekError, OSError) as error:
        from sigseek.cli.output import one_line

        click.echo(f"error: {one_line(error)}", err=True)
        if getattr(error, "query", "").strip():  # a QuerySyntaxError: it can show where
            click.echo(error.pointer, err=True)  # type: ignore[union-attr]
        return 1
    return status or 0


def _prepare_streams() -> None:
    """Paths that are not UTF-8 pass through as they are; warnings are lines for people, Pillow's
    notes are for nobody.
    """
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by whoever started the program
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - for good, and fast
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
    warnings.showwarning = lambda message, category, *where, **more: click.echo(
        f"warning: {message}", err=True
    )
    warnings.simplefilter("ignore")
    warnings.filterwarnings("default", category=UserWarning, module="sigseek")
