"""Options that several commands share."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from sigseek.cli.default_library import default_library
from sigseek.cli.parameter_types import LibraryName, PageName, PathName, Size
from sigseek.cli.remedies import note_library
from sigseek.paths import LIBRARY_BESIDE_PHOTOS
from sigseek.results import shown
from sigseek.search.labels import DEFAULT_TEMPLATE, Label, distinct_labels, parse_label, read_labels
from sigseek.siglip.towers import DEVICES, PRECISIONS

if TYPE_CHECKING:
    from sigseek.library import Library

_Command = TypeVar("_Command", bound=Callable[..., Any])


def library_options(command: _Command) -> _Command:
    """Add the options --library and --model to a command."""
    where = click.option(
        "--library",
        "directory",
        envvar="SIGSEEK_LIBRARY",
        type=LibraryName(),
        default=default_library,
        show_default="the .sigseek of this folder or of one above, else the user's own",
        metavar="DIR",
        callback=note_library,
        help="The directory of the library, or the address of a PostgreSQL database, such as "
        "postgresql://me@server/photos. [env: SIGSEEK_LIBRARY]",
    )
    what = click.option(
        "--model",
        envvar="SIGSEEK_MODEL",
        metavar="NAME",
        help="The checkpoint: a Hugging Face id such as google/siglip-base-patch16-224 "
        "(ID@REVISION for one revision), a local directory, or 'mini'. Needed only to make a "
        "library or to add another checkpoint, which is the library's from then on. "
        "[env: SIGSEEK_MODEL]",
    )
    return where(what(command))


def label_options(command: _Command) -> _Command:
    """Add the options --label, --labels-file and --template to a command; `given_labels` reads the
    first two.
    """
    one = click.option(
        "--label",
        "labels",
        multiple=True,
        metavar="TEXT",
        help="A label, or NAME = TEXT to give the model a longer description. Repeatable.",
    )
    many = click.option(
        "--labels-file",
        type=PathName(),
        metavar="FILE",
        help="A UTF-8 file with one label per line. Blank lines and lines that begin with # are "
        "ignored.",
    )
    template = click.option(
        "--template",
        default=DEFAULT_TEMPLATE,
        show_default=True,
        help="Sentence for labels without a TEXT; {} stands for the label.",
    )
    return one(many(template(command)))


def given_labels(labels: Sequence[str], labels_file: Path | None) -> tuple[Label, ...]:
    """Return the labels that the two options give, each once. Raises QueryError when one cannot be
    read, and UsageError when there is none.
    """
    if not labels and labels_file is None:
        raise click.UsageError("There is no label. Use --label TEXT or --labels-file FILE.")
    from_file = read_labels(labels_file) if labels_file else ()
    return distinct_labels([*map(parse_label, labels), *from_file])


device_option = click.option(
    "--device",
    type=click.Choice(DEVICES),
    default="auto",
    show_default=True,
    help="The device that runs the model; auto uses a GPU for photos if torch finds one.",
)
precision_option = click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="auto",
    show_default=True,
    help="The arithmetic of the model; auto keeps the library's precision, and new libraries use "
    "bf16 if the processor supports it, else fp32. int8 is fastest on a CPU and slightly less "
    "accurate; it is calibrated on your photos.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object per line."
)
limit_option = click.option(
    "-n",
    "--limit",
    type=int,
    default=10,
    show_default=True,
    metavar="N",
    help="Show at most N hits.",
)
self_option = click.option(
    "--self",
    "include_self",
    is_flag=True,
    help="Also list the very photo that is named. Exact copies of it are always listed.",
)


def path_options(command: _Command) -> _Command:
    """Add the options --paths and --print0 to a command; `end_of_paths` reads them."""
    lines = click.option(
        "--paths",
        "paths_only",
        is_flag=True,
        help="Print only paths, one per line, for pipes. Paths with a line break are left out.",
    )
    nulls = click.option(
        "--print0",
        is_flag=True,
        help="Print only paths, each with a NUL character after it, for xargs -0.",
    )
    return lines(nulls(command))


def end_of_paths(paths_only: bool, print0: bool, as_json: bool) -> str | None:
    """Return what comes after each path, None where not only paths are printed."""
    if as_json and (paths_only or print0):
        raise click.UsageError(f"Use --json or {'--print0' if print0 else '--paths'}, not both.")
    return "\0" if print0 else "\n" if paths_only else None


html_option = click.option(
    "--html",
    "html",
    type=PageName(dir_okay=False),
    metavar="FILE",
    help="Also write the hits to an HTML page. An existing page written by sigseek is replaced; "
    "other files are not.",
)


def yes_option(meaning: str) -> Callable[[_Command], _Command]:
    """Return the option --yes, with what it means for the command."""
    return click.option("--yes", is_flag=True, help=meaning)


max_megapixels_option = click.option(
    "--max-megapixels",
    type=click.IntRange(min=1),
    metavar="N",
    help="Skip pictures larger than this, now and in later runs.  "
    "[default: what fits into half of the RAM, at most 250]",
)


thumbnails_max_option = click.option(
    "--thumbnails-max",
    type=Size(),
    metavar="SIZE",
    help="The most that small pictures of photos may take, such as 500MB, from now on and for all "
    "your libraries together; 0 keeps none.  [default: 4GB]",
)


def confirm(consequence: str, question: str, yes: bool) -> None:
    """Say on a terminal what would happen, ask whether to go on, and end the command if not.

    Elsewhere the option --yes is needed.
    """
    from sigseek.cli.output import Failed

    if yes:
        return
    if not sys.stdin.isatty():
        raise Failed(f"{consequence}, and there is no terminal to ask on; go on with --yes")
    if not click.confirm(f"{consequence}. {question}", err=True):
        click.echo("nothing was changed", err=True)
        click.get_current_context().exit(1)


def opened(
    directory: Path | str, model: str | None, device: str = "auto", precision: str = "auto"
) -> "Library":
    """Open the library that the common options name. What takes long is announced on stderr."""
    from sigseek.cli.progress import Announcer
    from sigseek.library import open_library  # `--help` needs none of it

    tell_of_library(directory)
    tell_of_unused_options()
    return open_library(directory, model, device, precision, Announcer())


def tell_of_library(directory: Path | str) -> None:
    """Say on stderr which library is used when it was found beside photos."""
    source = click.get_current_context().get_parameter_source("directory")
    if source is ParameterSource.DEFAULT and Path(directory).name == LIBRARY_BESIDE_PHOTOS:
        click.echo(f"library: {shown(str(directory))}", err=True)


_OF_THE_MODEL = ("model", "device", "precision")
_WITHOUT_MODEL = {"status", "failures", "relocate", "prune", "verify", "backup"}
"""Commands that use no checkpoint. They take --model like all commands."""
_LISTING = ("only_list", "list_tags", "add", "remove", "distinct", "again")
"""Options with which `index`, `tag` and `duplicates` use no checkpoint."""


def tell_of_unused_options() -> None:
    """Say on stderr which options do nothing, if the command does without a checkpoint."""
    context = click.get_current_context()
    if context.info_name not in _WITHOUT_MODEL and not any(map(context.params.get, _LISTING)):
        return
    for name in _OF_THE_MODEL:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            click.echo(f"note: --{name} does nothing here; no checkpoint is used", err=True)
