"""README.md, CHANGELOG.md and the help texts say what is so."""

import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

import sigseek
from sigseek.cli.main import COMMANDS, cli
from tests.conftest import ROOT, Run

README = (ROOT / "README.md").read_text()


def test_one_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert sigseek.__version__ == version
    assert re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1] == version  # type: ignore[index]


def command_lines() -> list[list[str]]:
    return [shlex.split(line) for line in re.findall(r"^\$ (sigseek .*)$", README, re.MULTILINE)]


def test_every_command_is_in_the_readme() -> None:
    for command in COMMANDS:
        assert f"`sigseek {command}" in README


@pytest.mark.parametrize("words", command_lines(), ids=" ".join)
def test_every_command_line_of_the_readme_is_valid(words: list[str]) -> None:
    context = click.Context(cli)
    command = cli.get_command(context, words[1])
    assert command is not None
    command.make_context(words[1], words[2:])


def test_every_option_of_the_readme_exists() -> None:
    known = {"--constraint", "--help"}
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        known |= {option for parameter in command.params for option in parameter.opts}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README)) <= known


def test_the_demo_and_the_searches_that_the_readme_shows(tmp_path: Path, run: Run) -> None:
    demo, *asked = [
        words for words in command_lines() if words[1] == "demo" or "demo-photos/.sigseek" in words
    ]
    assert demo == ["sigseek", "demo"]
    printed = run(*demo[1:]).stdout
    assert "200 pictures: 200 added" in printed
    assert (tmp_path / "demo-photos" / "results.html").is_file()
    *found, nothing, alike = [run(*words[1:]).stdout.splitlines() for words in asked]
    assert [lines[0].split()[0] for lines in found] == ["about"] * 2
    assert nothing[0].startswith("no match (best: ")
    assert len(alike) == 10


def test_the_python_of_the_readme(
    tmp_path: Path, drawn: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    code = code.replace("~/Pictures/.sigseek", str(tmp_path / "library")).replace(
        "~/Pictures", str(drawn)
    )
    exec(code.replace("google/siglip-base-patch16-224", "mini"), {})
    assert capsys.readouterr().out == "", "no drawing shows two cats on a sofa"
    exec(
        code.replace("google/siglip-base-patch16-224", "mini").replace(
            "two cats on a sofa", "at night"
        ),
        {},
    )
    assert len(capsys.readouterr().out.splitlines()) == 5
