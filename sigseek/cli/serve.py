"""The command `sigseek serve`."""

import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path

import click

from sigseek.cli.options import (
    device_option,
    library_options,
    opened,
    precision_option,
    thumbnails_max_option,
)
from sigseek.cli.output import advise
from sigseek.cli.parameter_types import PathName
from sigseek.cli.remedies import spell
from sigseek.disk import ask
from sigseek.errors import Call, Remedy, Step
from sigseek.results import shown


@click.command()
@library_options
@device_option
@precision_option
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="The address to listen on. 127.0.0.1 is reached from this machine alone; 0.0.0.0 from the "
    "network, which needs --token.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=7333,
    show_default=True,
    metavar="N",
    help="The port to listen on; with 0 the system chooses one.",
)
@click.option(
    "--token",
    envvar="SIGSEEK_TOKEN",
    metavar="TEXT",
    help="Let in only those who know this word: browsers ask for it, programs send it as "
    "Authorization: Bearer TEXT. Others on this machine can see an option; the variable they "
    "cannot. [env: SIGSEEK_TOKEN]",
)
@click.option(
    "--allowed-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="A name under which a proxy passes requests on, such as photos.example.org; it needs "
    "--token. Repeatable.",
)
@click.option(
    "--proxy",
    "proxies",
    multiple=True,
    metavar="ADDRESS",
    help="The address or network of a proxy that is believed when it tells where a request comes "
    "from. Repeatable.",
)
@click.option("--read-only", is_flag=True, help="Refuse everything that changes the library.")
@click.option("--open", "open_page", is_flag=True, help="Open the page in the browser.")
@click.option(
    "--browse",
    type=PathName(file_okay=False),
    multiple=True,
    metavar="DIR",
    help="Let the page add folders below this directory. Repeatable.",
)
@click.option(
    "--show-paths",
    is_flag=True,
    help="Tell absolute paths to other machines, too. Without it they see them from the name of "
    "the indexed folder on.",
)
@thumbnails_max_option
@click.option("--access-log", is_flag=True, help="Print each request, with its query, on stderr.")
def serve(
    directory: Path | str,
    model: str | None,
    device: str,
    precision: str,
    host: str,
    port: int,
    token: str | None,
    allowed_hosts: tuple[str, ...],
    proxies: tuple[str, ...],
    read_only: bool,
    open_page: bool,
    browse: tuple[Path, ...],
    show_paths: bool,
    thumbnails_max: int | None,
    access_log: bool,
) -> None:
    """Show the library in the browser, and answer programs over HTTP.

    The page's address is printed once the server listens. Stop it with Ctrl-C or SIGTERM: the exit
    status is 0. docs/http.md describes the API for programs.

    Where there is no library yet, an empty one is made, and stderr says so. With --read-only that
    is an error.

    \b
        sigseek serve --open
        sigseek serve --browse ~/Pictures
        SIGSEEK_TOKEN=secret sigseek serve --host 0.0.0.0 --read-only
    """
    from sigseek.web.server import serve as serve_library
    from sigseek.web.settings import Settings

    settings = Settings(
        host=host,
        port=port,
        token=token,
        allowed_hosts=allowed_hosts,
        proxies=proxies,
        read_only=read_only,
        browse=tuple(path.absolute() for path in browse),
        show_paths=show_paths,
        access_log=access_log,
        preload=True,
        spell=_spelling(),
    )
    if access_log:
        _print_requests()
    for path in settings.browse:
        if not ask(path, path.is_dir, if_silent=True):
            found = f"there is no directory {shown(str(path))} now"
            click.echo(f"warning: --browse: {found}, so no folder in it can be chosen", err=True)

    def ready(address: str) -> None:
        click.echo(f"{shown(library.location)} is shown at {address}")
        sys.stdout.flush()
        if open_page:
            webbrowser.open(address)

    with opened(directory, model, device, precision) as library:
        if thumbnails_max is not None:
            library.limit_thumbnails(thumbnails_max)
        if not read_only and library.create():
            click.echo(
                f"a new library without photos was made: {shown(library.location)}", err=True
            )
            advise(Remedy("add photos on its page, or with: {}", (Call("index", ("FOLDER",)),)))
        library.status()  # whatever is wrong with the library is said before anything is served
        serve_library(library, settings, ready)


def _spelling() -> Callable[[Step], str]:
    """Return what spells a way out as a command of this library, on whatever thread."""
    context = click.get_current_context()

    def spell_there(step: Step) -> str:
        with context.scope(cleanup=False):
            return spell(step)

    return spell_there


def _print_requests() -> None:
    """Print what the server logs about requests."""
    import logging

    log = logging.getLogger("sigseek.web.access")
    log.addHandler(logging.StreamHandler())
    log.setLevel(logging.INFO)
