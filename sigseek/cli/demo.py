"""The command `sigseek demo`."""

import shlex
import shutil
import sys
from datetime import timedelta
from pathlib import Path

import click

from sigseek.answers import LIKENESS_LEGEND, Answer, answer
from sigseek.cli.hits import print_hits, thumbnails_of
from sigseek.cli.index_report import print_report
from sigseek.cli.options import opened
from sigseek.cli.output import remedy_in_words
from sigseek.cli.parameter_types import PathName
from sigseek.cli.progress import ProgressBar, RunProgress
from sigseek.demo.captions import NUMBERS, article, plural
from sigseek.demo.photos import draw_photos
from sigseek.demo.scene import Scene
from sigseek.pages.contact_sheet import Section, write_contact_sheet
from sigseek.results import counted
from sigseek.search.results import SearchResults
from sigseek.siglip.names import MINI

_HITS = 5


@click.command()
@click.option(
    "--folder",
    type=PathName(file_okay=False),
    default=Path("demo-photos"),
    show_default=True,
    help="The folder to draw into: a new one, or that of an earlier demo.",
)
@click.option(
    "--pictures",
    type=click.IntRange(1, 100_000),
    default=200,
    show_default=True,
    help="How many pictures to draw.",
)
@click.option(
    "--seed",
    type=int,
    default=2026,
    show_default=True,
    help="A different seed draws different pictures.",
)
def demo(folder: Path, pictures: int, seed: int) -> None:
    """Draw pictures, index them, search them and show the results.

    Works offline: sigseek draws the pictures itself, and brings the checkpoint `mini`, a miniature
    SigLIP trained on other such drawings. FOLDER then also contains captions.jsonl, which describes
    the pictures, and results.html, a page with the hits. Its library is FOLDER/.sigseek:

    \b
        sigseek demo
        sigseek search "a blue sailboat" --library demo-photos/.sigseek
    """
    folder = folder.absolute()
    with ProgressBar("drawing", "images") as progress:
        scenes = draw_photos(folder, pictures, seed, lambda drawn: progress.show(drawn, pictures))
    with opened(folder / ".sigseek", MINI) as library:
        with RunProgress() as listener:
            report = library.index(folder, accept_missing=True, listener=listener)
        library.prune(timedelta())  # what an earlier demo drew
        print_report(report, library)
        found = {query: library.search(query, _HITS) for query in _queries(scenes)}
        said = {query: answer(results, _HITS) for query, results in found.items()}
        sections = [_section(query, results, said[query]) for query, results in found.items()]
        photo = folder / "scene-00000.jpg"
        alike = library.similar(photo, _HITS)
        headline = f"The {counted(len(alike), 'photo')} most like it"
        like = f"like {photo.name}"
        sections.append(Section(like, alike, headline, below=(LIKENESS_LEGEND,), asked=photo))
        write_contact_sheet(
            folder / "results.html", "sigseek demo", sections, thumbnails_of(library)
        )
    *answered, most_like = sections
    for section in answered:
        click.echo(f"\n{section.heading}\n{section.headline}")
        print_hits(section.hits)
    for line in dict.fromkeys(line for section in answered for line in section.below):
        click.echo(f"\n{line}")
    click.echo(f"\n{most_like.heading}")
    print_hits(most_like.hits)
    click.echo(f"\n{LIKENESS_LEGEND}")
    click.echo(f"\nAs a page: {folder / 'results.html'}")
    ask = f"{scenes[0].objects[0].name} AND {scenes[0].time}"
    program, library_name = _program(), shlex.quote(str(folder / ".sigseek"))
    click.echo(f'Try next:  {program} search "{ask}" --library {library_name}')
    click.echo(f"In the browser:  {program} serve --open --library {library_name}")


def _program() -> str:
    """Return how the shell is told to start this program: by its name, or else by its path, which
    `make demo` needs because it activates no virtual environment.
    """
    path = Path(sys.argv[0])
    needs_path = path.stem == "sigseek" and shutil.which("sigseek") is None
    return shlex.quote(str(path)) if needs_path else "sigseek"


def _section(query: str, found: SearchResults, said: Answer) -> Section:
    """Return the part of the page about a query."""
    below = tuple(map(remedy_in_words, said.legend))
    return Section(f'"{query}"', found, remedy_in_words(said.headline), (), below, found.best)


def _queries(scenes: list[Scene]) -> list[str]:
    """Return three queries that the first pictures answer.

    They ask for coloured objects, for objects at a time of day, and for an object in a place.
    """
    first, second, third = (scenes[number % len(scenes)] for number in range(3))
    colored, timed, placed = (scene.objects[0] for scene in (first, second, third))
    several = f"{NUMBERS[colored.count]} {colored.color} {plural(colored.name)}"
    return [
        several
        if colored.count > 1
        else f"{article(colored.color)} {colored.color} {colored.name}",
        f"{plural(timed.name)} {second.time}",
        f"{article(placed.name)} {placed.name} {third.place}",
    ]
