"""Options that several commands share."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sigseek.search.labels import DEFAULT_TEMPLATE, Label, distinct_labels, parse_label, read_labels

if TYPE_CHECKING:
    from sigseek.library import Library

_Command = TypeVar("_Command", bound=Callable[..., Any])


class PathName(click.Path):
    """A path; no empty one, which a shell makes of a variable that is not set, and which would mean
    the current directory.
    """

    def __init__(self, **conditions: bool) -> None:
        super().__init__(path_type=Path, **conditions)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path; wrong syntax when it is empty."""
        if value == "":
            self.fail("the name is empty; is a variable of the shell not set?", param, ctx)
        return super().convert(value, param, ctx)


def default_library() -> Path:
    """Where the library lies when nobody says: the platform's place for a user's data."""
    from platformdirs import user_data_path

    return user_data_path("sigseek", appauthor=False)


def library_options(command: _Command) -> _Command:
    """--library and --model."""
    where = click.option(
        "--library",
        "directory",
        envvar="SIGSEEK_LIBRARY",
        type=PathName(),
        default=default_library,
        show_default="the platform's user data directory",
        metavar="DIR",
        help="Where the library is kept. [env: SIGSEEK_LIBRARY]",
    )
    what = click.option(
        "--model",
        envvar="SIGSEEK_MODEL",
        metavar="NAME",
        help="A hub id such as google/siglip-base-patch16-224 (ID@REVISION for one revision), a local checkpoint "
        "directory, or 'mini'. Needed only to make a library or to add a second checkpoint. [env: SIGSEEK_MODEL]",
    )
    return where(what(command))


def label_options(command: _Command) -> _Command:
    """--label, --labels-file and --template; `given_labels` reads the first two."""
    one = click.option(
        "--label",
        "labels",
        multiple=True,
        metavar="TEXT",
        help="A label, or NAME = TEXT for one that the model reads another text for; give the option once for each.",
    )
    many = click.option(
        "--labels-file",
        type=PathName(),
        metavar="FILE",
        help="A UTF-8 file of labels, one a line; blank lines and lines that begin with # are passed over.",
    )
    template = click.option(
        "--template",
        default=DEFAULT_TEMPLATE,
        show_default=True,
        help="The sentence that a label without a text of its own is put into, at {}.",
    )
    return one(many(template(command)))


def given_labels(labels: Sequence[str], labels_file: Path | None) -> tuple[Label, ...]:
    """The labels of the options, each once; QueryError where one cannot be read."""
    from_file = read_labels(labels_file) if labels_file else ()
    return distinct_labels([*map(parse_label, labels), *from_file])


device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda", "mps"]),
    default="auto",
    show_default=True,
    help="What to run the model on; auto takes a GPU for photos where torch finds one.",
)
precision_option = click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16", "int8"]),
    default="auto",
    show_default=True,
    help="The arithmetic to embed in; auto goes on as the library began, a new one in bf16 where the processor has it, "
    "else in fp32. int8 is fastest on a CPU and a little less exact; it is fitted to your photos.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object per line on stdout."
)
limit_option = click.option(
    "-n",
    "--limit",
    type=int,
    default=10,
    show_default=True,
    metavar="N",
    help="At most this many hits.",
)
paths_option = click.option(
    "--paths", "paths_only", is_flag=True, help="Paths only, one a line, for pipes."
)
html_option = click.option(
    "--html",
    "html",
    type=PathName(dir_okay=False),
    metavar="FILE",
    help="Also write a contact sheet that any browser opens; of what is there, only another page is replaced.",
)


def yes_option(meaning: str) -> Callable[[_Command], _Command]:
    """--yes, with what it means for the command."""
    return click.option("--yes", is_flag=True, help=meaning)


def confirm(question: str, yes: bool) -> None:
    """Ask on a terminal whether to go on; elsewhere it takes --yes. Ends the command if not."""
    from sigseek.storage import LibraryError

    if not yes and not sys.stdin.isatty():
        raise LibraryError(f"{question} Nobody can be asked here; say yes with --yes")
    if not yes and not click.confirm(question, err=True):
        click.echo("nothing was changed", err=True)
        click.get_current_context().exit(1)


def opened(
    directory: Path, model: str | None, device: str = "auto", precision: str = "auto"
) -> "Library":
    """The library that the common options name; what takes long is announced on stderr."""
    from sigseek.library import (
        open_library,  # after the command line is understood: `--help` needs none of it
    )

    return open_library(
        directory, model, device, precision, lambda line: click.echo(line, err=True)
    )
