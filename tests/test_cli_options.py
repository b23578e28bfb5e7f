"""What options accept, and how commands ask."""

import contextlib
from datetime import timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from sigseek.cli.default_library import library_beside
from sigseek.cli.index import index
from sigseek.cli.options import confirm, given_labels
from sigseek.cli.parameter_types import Duration, PathName, Probability, Size
from sigseek.search.errors import QueryError
from tests.conftest import Run


def converted(kind: click.ParamType, typed: object) -> object:
    return kind.convert(typed, None, None)


@pytest.mark.parametrize(
    ("typed", "duration"),
    [
        ("2s", timedelta(seconds=2)),
        ("1.5h", timedelta(minutes=90)),
        (" 30D ", timedelta(days=30)),
        ("8w", timedelta(weeks=8)),
    ],
)
def test_a_duration(typed: str, duration: timedelta) -> None:
    assert converted(Duration(), typed) == duration


def test_a_number_without_a_unit_is_of_the_options_own() -> None:
    assert converted(Duration("m"), "10") == timedelta(minutes=10)
    with pytest.raises(click.BadParameter, match=r"'10' is not a duration; write a number and s,"):
        converted(Duration(), "10")


@pytest.mark.parametrize("typed", ["", "-1s", "1y", "s", "1 s", "１s", "1e3s"])
def test_what_is_no_duration(typed: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a duration"):
        converted(Duration("s"), typed)


def test_the_shortest_and_the_longest_duration() -> None:
    assert converted(Duration(zero=True), "0d") == timedelta()
    for none in ("0d", "0.0000001s"):  # less than a microsecond is nothing
        with pytest.raises(click.BadParameter, match="must be more than 0"):
            converted(Duration(), none)
    with pytest.raises(click.BadParameter, match="is too long"):
        converted(Duration(), "999999999w")


def test_the_units_of_a_duration_are_the_same_in_the_help_and_in_the_error(run: Run) -> None:
    units = "a number and s, m, h, d or w"
    assert units in " ".join(run("prune", "--help").stdout.split())
    assert units in run("prune", "--older-than", "old", check=False).stderr


@pytest.mark.parametrize(
    ("typed", "size"),
    [
        ("0", 0),
        ("500MB", 500_000_000),
        (" 2.5 GB ", 2_500_000_000),
        ("4g", 4_000_000_000),
        ("1.5T", 1_500_000_000_000),
        ("12b", 12),
        ("999 kB", 999_000),
    ],
)
def test_sizes(typed: str, size: int) -> None:
    assert converted(Size(), typed) == size


@pytest.mark.parametrize("typed", ["", "-1", "many", "4GiB", "4 G B", "1e9", "４GB", "MB"])
def test_what_is_no_size(typed: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a size; write it as 0, 500MB or 4GB"):
        converted(Size(), typed)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("0.9", 0.9),
        ("90%", 0.9),
        (" 99.9 % ", 0.999),
        ("12.5%", 0.125),
        (".5", 0.5),
        ("1e-05", 0.00001),
        ("7", 7.0),
        ("-1", -1.0),
        (0.25, 0.25),
    ],
)
def test_probabilities(typed: object, meant: float) -> None:
    assert converted(Probability(), typed) == meant


@pytest.mark.parametrize("typed", ["", "%", "half", "nan", "inf", "9e", "0x1", "0,9", "1_0", "９%"])
def test_what_is_no_probability(typed: str) -> None:
    with pytest.raises(click.BadParameter, match=r"is not a probability; write it as 0\.9 or 90%"):
        converted(Probability(), typed)


@given(st.floats(0, 1))
def test_probabilities_are_read_as_python_prints_them(value: float) -> None:
    assert converted(Probability(), str(value)) == value
    assert converted(Probability(), f"{value * 100:.6f}%") == pytest.approx(value, abs=1e-8)


@given(st.text())
def test_any_text_is_a_probability_or_is_refused(typed: str) -> None:
    with contextlib.suppress(click.BadParameter):
        assert isinstance(converted(Probability(), typed), float)


def test_an_empty_path_is_wrong_syntax() -> None:
    with pytest.raises(click.BadParameter, match="is a shell variable not set"):
        converted(PathName(), "")
    assert converted(PathName(), "a b") == Path("a b")


def test_labels_are_given_by_options_and_by_a_file(tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_text("# animals\ncat\n\nnight = a photo taken at night\n")
    labels = given_labels(["dog", "cat"], file)
    assert [(label.name, label.text) for label in labels] == [
        ("dog", None),
        ("cat", None),
        ("night", "a photo taken at night"),
    ]
    with pytest.raises(QueryError, match=f"^cannot read labels from {tmp_path}/no.txt "):
        given_labels([], tmp_path / "no.txt")


def test_a_question_that_nobody_can_answer_says_what_would_happen() -> None:
    @click.command()
    @click.option("--yes", is_flag=True)
    def command(yes: bool) -> None:
        confirm("All of it would be gone", "Go on?", yes)
        click.echo("done")

    refused = CliRunner().invoke(command)
    assert (refused.exit_code, refused.stderr) == (
        1,
        "error: All of it would be gone, and there is no terminal to ask on; go on with --yes\n",
    )
    assert CliRunner().invoke(command, ["--yes"]).stdout == "done\n"


@pytest.mark.parametrize(
    "typed",
    [
        ["--reread"],
        ["--join"],
        ["--mount", "/photos=."],
        ["--ray", "local"],
        ["--ray-workers", "1"],
        ["--ray-cores", "1"],
        ["--vectors", "faiss"],
        ["--max-megapixels", "9"],
        ["--thumbnails-max", "0"],
    ],
)
def test_a_list_takes_no_option_that_it_would_ignore(tmp_path: Path, typed: list[str]) -> None:
    library = ["--library", str(tmp_path / "library")]
    refused = CliRunner().invoke(index, [str(tmp_path), "--list", *typed, *library])
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert f"Error: --list changes nothing, so it takes no {typed[0]}\n" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_nearest_library_beside_photos_is_found(tmp_path: Path) -> None:
    outer, inner = tmp_path / ".sigseek", tmp_path / "a" / "b" / ".sigseek"
    for library in (outer, inner):
        library.mkdir(parents=True)
        (library / "catalog.sqlite").touch()
    assert library_beside(tmp_path / "a" / "b" / "c") == inner
    assert library_beside(tmp_path / "a") == outer
    (inner / "catalog.sqlite").unlink()
    assert library_beside(tmp_path / "a" / "b") == outer
