"""The `sigseek` command: its subcommands, and what becomes of their errors."""

import _thread
import codecs
import gc
import logging
import os
import signal
import sys
import threading
import warnings
from importlib import import_module

import click

from sigseek import __version__
from sigseek.errors import RemedyWarning, SigseekError

COMMANDS = {
    "index": "Add folders to the library and bring it up to date.",
    "watch": "Keep the library up to date while its folders change.",
    "search": "Find photos by describing them.",
    "facets": "Count photos by year, camera, place and so on.",
    "similar": "Find photos that look like a given photo.",
    "duplicates": "Find photos that are there more than once.",
    "classify": "Show how well each label fits a photo.",
    "serve": "Show the library in the browser, and answer programs over HTTP.",
    "tag": "Give labels as tags to the photos that match them.",
    "calibrate": "Fit probabilities to captioned pictures of your own.",
    "eval": "Measure how well a checkpoint finds captioned pictures.",
    "models": "List checkpoints that can be chosen, with published figures and their speed here.",
    "status": "Show the library's folders, counts, checkpoints and sizes.",
    "failures": "List the files that could not be used, and why.",
    "verify": "Check the catalog, the index and the photo files against each other.",
    "relocate": "Tell the library that a folder has moved.",
    "forget": "Remove a folder, or with --model a checkpoint, from the library.",
    "prune": "Forget files that have been missing for a long time.",
    "backup": "Copy the catalog to a new file, even while the library is in use.",
    "copy": "Copy a library to another directory, or into a PostgreSQL database, or out of one.",
    "demo": "Draw pictures, index them, search them and show the results.",
}
"""Each command and the first line of its help, for `sigseek --help`, which loads no command."""
_MODULES = {"eval": "evaluate", "help": "manual"}  # functions of these names would hide Python's
_KEEPING = {"index", "tag", "demo", "watch", "copy", "duplicates"}
"""Commands that keep what they finished when they are interrupted."""
_COLLECTED_AFTER = 100_000
"""New objects after which the garbage collector looks for cycles. By default it would do so 150
times while a search loads its modules, which stay until the end, and take a tenth of the time.
"""


class _LazyGroup(click.Group):
    """Loads a command's module when the command is used, and turns errors into lines.

    `--help` must not wait for what only indexing needs.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS and cmd_name != "help":
            return None
        module = _MODULES.get(cmd_name, cmd_name)
        command: click.Command = getattr(import_module(f"sigseek.cli.{module}"), module)
        gc.freeze()  # modules stay until the end, and the collector need not look at them again
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse a long option with one dash, such as -version."""
        if args and args[0].startswith("-") and not ctx.resilient_parsing:
            from sigseek.cli.arguments import check_words

            check_words(self, ctx, args[:1])
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, and look for mistakes in what follows it."""
        from sigseek.cli.arguments import check_words, unknown_command

        name, *after = args
        if not ctx.resilient_parsing:
            command = self.get_command(ctx, name)
            if command is None:
                raise click.UsageError(unknown_command(name, after, [*COMMANDS, "help"]), ctx)
            check_words(command, click.Context(command, ctx, name), after)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command. Its errors become lines here, where the typed --library is known."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            kept = ctx.invoked_subcommand in _KEEPING
            click.echo("interrupted; what was finished is kept" if kept else "stopped", err=True)
            ctx.exit(130)
        except BrokenPipeError:
            raise
        except (SigseekError, OSError) as error:
            from sigseek.cli.output import Failed, one_line
            from sigseek.search.errors import QueryPartError

            if isinstance(error, QueryPartError) and error.query.strip():
                raise Failed(one_line(error), error.pointer) from error
            raise Failed(one_line(error)) from error


@click.command(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", prog_name="sigseek")
def cli() -> None:
    """Search your photos by text or by example, on your own machine.

    \b
    Try it without photos or downloads:
        sigseek demo
    Then with your photos (the first run downloads the model):
        sigseek index ~/Pictures
        sigseek search "two cats on a sofa"
        sigseek similar ~/Pictures/cat.jpg
    """


def run() -> int:
    """Run the command line and return the exit status.

    It is 0 on success, 1 after an error, 2 for a command line that cannot be read and 130 after
    Ctrl-C. A query that cannot be read is an error like any other.
    """
    gc.set_threshold(_COLLECTED_AFTER)
    _prepare_streams()
    repeat_lost_interrupts()
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
        click.echo("stopped", err=True)
        return 130
    except (BrokenPipeError, SystemExit):
        # The reader of our output, such as `head`, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # the output's disk is full, for example
        from sigseek.cli.output import one_line

        click.echo(f"error: {one_line(error)}", err=True)
        return 1
    return status or 0


def repeat_lost_interrupts() -> None:
    """Interrupt the main thread again whenever Python has lost an interrupt.

    Python drops every exception in the callback of a weak reference, and SQLAlchemy has many of
    these. A Ctrl-C at such a moment would otherwise have no effect.
    """

    def report(unraisable: "sys.UnraisableHookArgs") -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            # Not at once: the interrupt would come in the middle of this hook and be lost again.
            again = threading.Timer(0.01, _interrupt_main_thread)
            again.daemon = True
            again.start()
        else:
            sys.__unraisablehook__(unraisable)

    sys.unraisablehook = report


def _interrupt_main_thread() -> None:
    """Send the main thread the signal of a Ctrl-C, which wakes it where it waits."""
    main = threading.main_thread().ident
    if sys.platform == "win32" or main is None:
        _thread.interrupt_main()  # the thread sees this when it no longer waits
    else:
        signal.pthread_kill(main, signal.SIGINT)


def _prepare_streams() -> None:
    """Let paths of any bytes pass through, and print warnings as lines.

    What Pillow logs about odd files is not for users. Nor is the traceback that SQLAlchemy logs if
    Ctrl-C comes, or a server is lost, while a connection is given back. The error itself goes on.
    """
    for name in ("PIL", "sqlalchemy.pool"):
        logging.getLogger(name).addHandler(logging.NullHandler())
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by whoever started the program
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - for good, and fast
    codecs.register_error("sigseek", _bytes_or_marks)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="sigseek")  # type: ignore[union-attr]
    warnings.showwarning = _show_warning
    warnings.simplefilter("ignore")
    warnings.filterwarnings("default", category=UserWarning, module="sigseek")


def _bytes_or_marks(error: UnicodeError) -> tuple[bytes, int]:
    """Return the bytes that stand in the place of letters that the output's encoding does not have.

    Those that Python has made of a path's bytes become these bytes again, and any other letter a
    question mark: on Windows a file or a pipe may have no more letters than those of one country.
    """
    assert isinstance(error, UnicodeEncodeError)
    letters = error.object[error.start : error.end]
    told = (
        letter.encode("utf-8", "surrogateescape") if "\udc80" <= letter <= "\udcff" else b"?"
        for letter in letters
    )
    return b"".join(told), error.end


def _show_warning(message: Warning | str, *where: object, **more: object) -> None:
    from sigseek.cli.output import remedy_in_words

    words = message.remedy if isinstance(message, RemedyWarning) else str(message)
    click.echo(f"warning: {remedy_in_words(words)}", err=True)
