"""The command `sigseek index`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from sigseek.cli.index_report import print_report
from sigseek.cli.options import (
    confirm,
    device_option,
    json_option,
    library_options,
    max_megapixels_option,
    opened,
    precision_option,
    thumbnails_max_option,
    yes_option,
)
from sigseek.cli.output import print_json
from sigseek.cli.parameter_types import MountedPath, PathName
from sigseek.cli.progress import RunProgress
from sigseek.results import leaving_files, listed_in_words, shown

if TYPE_CHECKING:
    from sigseek.indexer import IndexReport
    from sigseek.indexer.preview import ListedFile

_OF_A_RUN = (
    "reread",
    "join",
    "mounts",
    "ray",
    "ray_workers",
    "ray_cores",
    "vectors",
    "max_megapixels",
    "thumbnails_max",
)
"""The options that say how a run takes photos in."""


@click.command()
@click.argument("folders", nargs=-1, type=PathName(), metavar="[FOLDER]...")
@library_options
@device_option
@precision_option
@yes_option(
    "Go on even if more than half of a folder's files are gone, if everything in it is left out, "
    "or if it holds a whole system, as / does."
)
@click.option(
    "--reread",
    is_flag=True,
    help="Read all files again, even if their size and times are the same.",
)
@click.option(
    "--exclude",
    multiple=True,
    metavar="GLOB",
    help="Leave out files and directories that match, such as '*.png' or raw/, now and in later "
    "runs. Photos of the library that match are removed from it, with their tags. The syntax is "
    "gitignore's. Repeatable.",
)
@click.option(
    "--include", multiple=True, metavar="GLOB", help="Take back an earlier --exclude. Repeatable."
)
@click.option(
    "--list",
    "only_list",
    is_flag=True,
    help="Only list the pictures that would be taken. On stderr it lists those that would not, and "
    "why, and counts those that would be removed from the library.",
)
@click.option(
    "--join",
    is_flag=True,
    help="Share the work with all other processes, on this machine or others, that index the same "
    "library with --join. The library has to be in a PostgreSQL database.",
)
@click.option(
    "--mount",
    "mounts",
    multiple=True,
    type=MountedPath(),
    metavar="PATH=HERE",
    help="With --join: what the library knows as PATH is at HERE on this machine; with --ray, on "
    "the machines of the workers. Repeatable.",
)
@click.option(
    "--ray",
    metavar="ADDRESS",
    help="Have workers in a Ray cluster take in the files. ADDRESS is HOST:PORT, auto for the "
    "cluster that this machine belongs to, or local for one that is started here and ends with the "
    "run. The library has to be in a PostgreSQL database.",
)
@click.option(
    "--ray-workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="With --ray: how many workers.  [default: one for each GPU, or else as many as fit]",
)
@click.option(
    "--ray-cores",
    type=click.IntRange(min=1),
    metavar="N",
    help="With --ray: the processor cores of each worker.  [default: a GPU's share, or else as "
    "many as the smallest machine has]",
)
@click.option(
    "--vectors",
    metavar="ENGINE",
    help="Where the vector index is kept from now on: faiss, which is files beside the library, or "
    "the address of a Milvus server, such as milvus://HOST:19530.",
)
@max_megapixels_option
@thumbnails_max_option
@json_option
def index(
    folders: tuple[Path, ...],
    directory: Path | str,
    model: str | None,
    device: str,
    precision: str,
    yes: bool,
    reread: bool,
    exclude: tuple[str, ...],
    include: tuple[str, ...],
    only_list: bool,
    join: bool,
    mounts: tuple[tuple[str, Path], ...],
    ray: str | None,
    ray_workers: int | None,
    ray_cores: int | None,
    vectors: str | None,
    max_megapixels: int | None,
    thumbnails_max: int | None,
    as_json: bool,
) -> None:
    """Add folders to the library and bring it up to date.

    Without FOLDER, all known folders are brought up to date. Your photos are never changed.
    Unchanged files are not read again, and moved files are recognised by their content. After
    Ctrl-C the next run continues where this one stopped. The embedding of a file that is gone is
    kept until `sigseek prune`. When more than half of a folder's files are gone, nothing is changed
    without --yes; a folder that holds a whole system, such as /, needs --yes, too, or a yes on the
    terminal.

    Directories with a .nomedia file are left out, and so are files that match a pattern in a
    .sigseekignore file, in gitignore's syntax. When a rule leaves out photos that are in the
    library, they are removed from it with their embeddings and tags, without a question; --list
    tells beforehand which.

    \b
        sigseek index ~/Pictures
        sigseek index ~/Pictures --exclude 'Screenshots/' --exclude '*.png'
        sigseek index ~/Pictures --library ~/Pictures/.sigseek
        sigseek index drawings --model mini
    """
    if only_list:
        _check_list_alone(click.get_current_context())
    with opened(directory, model, device, precision) as library:
        if only_list:
            _list(library.preview(*folders, exclude=exclude, include=include), as_json=as_json)
            return
        if thumbnails_max is not None:
            library.limit_thumbnails(thumbnails_max)
        if join or ray:  # cluster managers end a process so; its claims are then free at once
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        with RunProgress() as listener:
            run = partial(
                library.index,
                *folders,
                accept_missing=yes,
                accept_system_folder=yes,
                reread=reread,
                exclude=exclude,
                include=include,
                max_megapixels=max_megapixels,
                join=join,
                mounts=dict(mounts),
                ray=ray,
                ray_workers=ray_workers,
                ray_cores=ray_cores,
                vectors=vectors,
                listener=listener,
            )
            report = _with_consent(run)
        if not (report.scanned or report.offline or report.emptied or join or ray):
            where = ", ".join(shown(str(folder)) for folder in folders) or "the known folders"
            click.echo(f"warning: no pictures found in {where}", err=True)
        print_report(report, library, as_json=as_json)


def _check_list_alone(context: click.Context) -> None:
    """Raise UsageError for an option that a run would follow, and that --list would ignore."""
    for option in context.command.params:
        typed = context.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
        if typed and option.name in _OF_A_RUN:
            raise click.UsageError(f"--list changes nothing, so it takes no {option.opts[0]}")


def _with_consent(run: Callable[..., IndexReport]) -> IndexReport:
    """Run the indexing. On a terminal, ask first about a folder that holds a whole system."""
    from sigseek.operations.system_folders import SystemFolderError

    try:
        return run()
    except SystemFolderError as error:
        if not sys.stdin.isatty():
            raise
        confirm(error.found, "Index it?", yes=False)
        return run(accept_system_folder=True)


def _list(files: Iterable[ListedFile], *, as_json: bool) -> None:
    leaving = 0
    for file in files:
        leaving += file.leaving
        if as_json:
            print_json(file)
        else:
            click.echo(listed_in_words(file), err=not file.taken)
    if leaving:
        click.echo(leaving_files(leaving), err=True)
