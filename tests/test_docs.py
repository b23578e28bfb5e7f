"""The documents and the help texts say what is so."""

import doctest
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

import sigseek
from sigseek import library
from sigseek.cli.main import COMMANDS, cli
from sigseek.siglip.checkpoint import MINI_DIRECTORY
from tests.conftest import ROOT, Run

README = (ROOT / "README.md").read_text()
ALL_COMMANDS = (ROOT / "docs" / "commands.md").read_text()


def test_one_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert sigseek.__version__ == version
    assert re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1] == version  # type: ignore[index]


def command_lines() -> list[list[str]]:
    return [shlex.split(line) for line in re.findall(r"^\$ (sigseek .*)$", README, re.MULTILINE)]


def test_every_line_that_the_readme_has_people_type_is_tried() -> None:
    typed = re.findall(r"^\$ (.*)$", README, re.MULTILINE)
    installing = {
        "git clone <this repository> sigseek && cd sigseek",
        "python3 -m venv .venv",
        ".venv/bin/pip install --constraint constraints.txt .",  # much as in test_wheel.py
        "source .venv/bin/activate",
    }
    assert set(typed) - installing == {line for line in typed if line.startswith("sigseek ")}


def test_every_command_is_in_the_list_of_commands() -> None:
    for command in COMMANDS:
        assert f"| `sigseek {command}" in ALL_COMMANDS


@pytest.mark.parametrize("words", command_lines(), ids=" ".join)
def test_every_command_line_of_the_readme_is_valid(words: list[str]) -> None:
    context = click.Context(cli)
    command = cli.get_command(context, words[1])
    assert command is not None
    command.make_context(words[1], words[2:])


def test_every_option_of_the_readme_and_the_list_of_commands_exists() -> None:
    known = {"--constraint", "--help"}
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        known |= {option for parameter in command.params for option in parameter.opts}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", README + ALL_COMMANDS)) <= known


def test_the_demo_and_the_searches_that_the_readme_shows(tmp_path: Path, run: Run) -> None:
    demo, *asked = [
        words for words in command_lines() if words[1] == "demo" or "demo-photos/.sigseek" in words
    ]
    assert demo == ["sigseek", "demo"]
    printed = run(*demo[1:]).stdout
    assert "200 pictures: 200 added" in printed
    assert (tmp_path / "demo-photos" / "results.html").is_file()
    *found, nothing, alike = [run(*words[1:]).stdout.splitlines() for words in asked]
    assert len(found) == 2
    assert all(re.match(r"(about )?[\d,]+ photos? match", lines[0]) for lines in found)
    assert nothing[0].startswith("No photo matches; the closest is ")
    assert len(alike) == 10


def test_indexing_your_own_photos_as_the_readme_shows(
    tmp_path: Path, drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """mini stands in for both checkpoints that the README names."""
    (tmp_path / "Pictures").symlink_to(drawn)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "siglip-base-patch16-224").symlink_to(MINI_DIRECTORY)
    monkeypatch.setenv("HOME", str(tmp_path))
    own = [
        line
        for line in re.findall(r"^\$ (sigseek .*)$", README, re.MULTILINE)
        if "demo" not in line
    ]
    assert len(own) == 3
    for number, line in enumerate(own):
        environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        if "--model" not in line:
            environment["SIGSEEK_MODEL"] = "mini"
        done = subprocess.run(
            line, shell=True, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        expected = ("40 pictures: 40 added", "No photo", "40 pictures: 40 unchanged")[number]
        assert expected in done.stdout


@pytest.mark.parametrize(
    "name", ["CONTRIBUTING.md", "docs/architecture.md", "docs/commands.md", "README.md"]
)
def test_every_path_that_a_document_names_exists(name: str) -> None:
    text = (ROOT / name).read_text()
    links = re.findall(r"\]\((?!http)([^)#]+)", text)
    for link in links:
        assert (ROOT / name).parent.joinpath(link).exists(), link
    if name in ("README.md", "docs/commands.md"):  # they speak of the user's own files
        return
    paths = re.findall(r"`([\w./-]+(?:/|\.(?:py|md|toml|txt)))`", text)
    assert len(paths) > 10
    for path in paths:
        assert (ROOT / path).exists(), f"{name} names {path}"


def test_the_examples_in_the_docstrings_of_the_library(
    tmp_path: Path, drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").symlink_to(drawn)
    found = doctest.DocTestFinder(exclude_empty=True).find(sigseek.Library, "Library", library)
    examples = sorted(found, key=lambda example: example.name)  # the class, which opens it, first
    runner, names = doctest.DocTestRunner(), {}
    for example in examples:
        example.globs = names
        assert runner.run(example, clear_globs=False).failed == 0, example.name
    assert runner.summarize().attempted > 8


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
