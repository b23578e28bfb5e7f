"""Words of a command line: what is an option, and what belongs to the query."""

import contextlib

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from sigseek.cli.arguments import check_words
from sigseek.cli.main import COMMANDS, cli
from sigseek.cli.search import search

OPTIONS: dict[tuple[str, ...], tuple[str, object]] = {
    ("-n", "3"): ("limit", 3),
    ("-n4",): ("limit", 4),
    ("--limit=5",): ("limit", 5),
    ("--limit", "-1"): ("limit", -1),
    ("--all",): ("include_all", True),
    ("--explain",): ("explain", True),
    ("--json",): ("as_json", True),
    ("--model", "a b"): ("model", "a b"),
    ("--model=--x",): ("model", "--x"),
    ("--min-probability", "90%"): ("min_probability", 0.9),
}
TEXT = [
    "two cats",
    "on",
    "-car",
    "-night",
    "-house",
    "-",
    "-5",
    "NOT",
    "",
    "!x",
    "\u2013car",
    "\u2014",
]


@given(
    st.lists(
        st.sampled_from(list(OPTIONS)) | st.sampled_from(TEXT).map(lambda word: (word,)), max_size=9
    ),
    st.none() | st.lists(st.sampled_from([*TEXT, "--json", "-n", "--"])),
)
def test_options_may_stand_anywhere_among_the_words_of_a_query(
    typed: list[tuple[str, ...]], after: list[str] | None
) -> None:
    words = [word for group in typed for word in group]
    query = [group[0] for group in typed if group not in OPTIONS] + (after or [])
    if after is not None:
        words += ["--", *after]
    params = search.make_context("search", words).params
    assert params["query"] == tuple(query)
    for name, value in dict(OPTIONS[group] for group in typed if group in OPTIONS).items():
        assert params[name] == value


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_any_words_are_read_or_refused(words: list[str]) -> None:
    with contextlib.suppress(click.UsageError, click.exceptions.Exit):
        check_words(search, click.Context(search), words)
        search.make_context("search", words)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["serach", "a"], "No such command 'serach'. Did you mean 'search'?"),
        (["Indx"], "No such command 'Indx'. Did you mean 'index'?"),
        (["find", "a house"], "No such command 'find'. Did you mean 'search'?"),
        (["help", "stauts"], "No such command 'stauts'. Did you mean 'status'?"),
        (
            ["two", "cats"],
            "No such command 'two'. To search for a text: sigseek search two cats",
        ),
        (["a house"], "No such command 'a house'. To search for a text: sigseek search 'a house'"),
        (["."], "No such command '.'. To add a folder: sigseek index ."),
        (["version"], "No such command 'version'. Did you mean '-V'?"),
        (["-v"], "No such option '-v'. Did you mean '--version'?"),
        (["--library", "x", "search", "a"], "'--library'. A command's options come after it."),
        (["-version"], "No such option '-version'. Did you mean '--version'?"),
        (["index", "-exclud", "x"], "No such option '-exclud'. Did you mean '--exclude'?"),
        (["status", "--jsn"], "No such option '--jsn'. Did you mean '--json'?"),
        (["search", "a", "--min-prob", "1"], "Did you mean '--min-probability'?"),
        (
            ["search", "a", "-json"],
            "No such option '-json'. Did you mean '--json'? If it is a part of the query, write "
            "-- before the query.",
        ),
        (
            ["search", "a", "-N", "3"],
            "No such option '-N'. Did you mean '-n'? If it is a part of the query, write -- before",
        ),
        (["search", "a", "\u2013n", "3"], "No such option '\u2013n'. Did you mean '-n'?"),
        (["search", "a", "-k", "3"], "No such option '-k'. If it is a part of the query, write --"),
        (["search", "a", "\u2014all"], "No such option '\u2014all'. Did you mean '--all'?"),
        (["index", "a", "\u2013yes"], "No such option '\u2013yes'. Did you mean '--yes'?"),
        (
            ["search", "a", "--html", "--paths"],
            "Option '--html' needs a value, and '--paths' is an option. If it is the value, write "
            "--html=--paths.",
        ),
        (
            ["search", "a", "-n", "--json"],
            "Option '-n' needs a value, and '--json' is an option. If it is the value, write "
            "--limit=--json.",
        ),
        (["search", "a", "--top", "5"], "No such option '--top'. Did you mean '--limit'?"),
        (["search", "a", "--threshold", "1"], "Did you mean '--min-probability'?"),
        (["search", "-n=3", "a"], "No such option '-n=3'. Did you mean '-n 3'?"),
        (["search", "a", "--html"], "Option '--html' requires an argument."),
        (["search", "-n", "1", "a", "-n"], "Option '-n' requires an argument."),
        (["duplicates", "--prefer"], "Option '--prefer' requires an argument."),
        (["tag", "--label", "-h"], "Option '--label' needs a value, and '-h' is an option."),
        (["index", "a", "--exclude", "--list"], "Option '--exclude' needs a value"),
    ],
)
def test_what_is_mistyped_is_refused_with_what_was_probably_meant(
    typed: list[str], said: str
) -> None:
    result = CliRunner().invoke(cli, typed)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in " ".join(result.stderr.split())


def test_an_option_is_not_near_for_its_dashes_alone() -> None:
    result = CliRunner().invoke(cli, ["search", "a", "--recursive", "x"])
    assert result.stderr.splitlines()[-1].endswith("No such option '--recursive'.")


def test_near_names_of_all_commands_are_suggested() -> None:
    for name in COMMANDS:
        mistyped = name[:-1] + "z" if len(name) > 3 else name + "z"
        result = CliRunner().invoke(cli, [mistyped])
        assert f"'{name}'" in result.stderr


def test_no_command_takes_an_option_for_the_value_of_another() -> None:
    tried = 0
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)  # type: ignore[attr-defined]
        assert isinstance(command, click.Command)
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.is_flag:
                option = parameter.opts[-1]
                result = CliRunner().invoke(cli, [name, option, "--help"])
                assert result.exit_code == 2, (name, option)
                assert f"Option '{option}' needs a value, and '--help' is" in result.stderr
                tried += 1
    assert tried > 50
