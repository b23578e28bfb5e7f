"""Ways out of errors: each names what exists, in Python and on the command line."""

import ast
import inspect
import shlex
from collections.abc import Iterator

import click
import pytest

import sigseek
from sigseek.cli.main import COMMANDS, cli
from sigseek.cli.remedies import spell
from sigseek.errors import Call, Command, Option, Step
from sigseek.library import open_library
from sigseek.web.settings import Settings
from tests.conftest import ROOT

_STEPS = {kind.__name__: kind for kind in (Call, Command, Option)}
_ROOMS = ("search", "indexer", "storage", "siglip", "sigseek")


def steps_in_the_code() -> Iterator[tuple[str, Step]]:
    """Return every step that the code makes, by its place, unless its name is not a literal.
    /any/path stands for what a run fills in.
    """
    for room in _ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if path.is_relative_to(ROOT / "sigseek" / "errors.py"):
                continue
            source = path.read_text()
            if not any(f"{name}(" in source for name in _STEPS):
                continue  # parsing all files takes seconds
            for node in ast.walk(ast.parse(source)):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Name)
                    and node.func.id in _STEPS
                    and isinstance(node.args[0], ast.Constant)
                ):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", made(node)


def made(node: ast.Call) -> Step:
    values: list[object] = [value(argument) for argument in node.args]
    named = {keyword.arg or "": value(keyword.value) for keyword in node.keywords}
    assert isinstance(values[0], str), ast.unparse(node)
    return _STEPS[ast.unparse(node.func)](*values, **named)  # type: ignore[no-any-return]


def value(node: ast.expr) -> object:
    if isinstance(node, ast.Tuple):
        return tuple(value(one) for one in node.elts)
    return node.value if isinstance(node, ast.Constant) else "/any/path"


STEPS = list(steps_in_the_code())


def command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)  # type: ignore[attr-defined]
    assert isinstance(found, click.Command), name
    return found


def keywords(function: object) -> set[str]:
    assert callable(function)
    return set(inspect.signature(function).parameters)


def test_the_steps_in_the_code_are_found() -> None:
    assert len(STEPS) > 40
    assert {type(step) for _, step in STEPS} == {Call, Command, Option}


@pytest.mark.parametrize(("place", "step"), STEPS)
def test_a_step_exists_in_python(place: str, step: Step) -> None:
    methods = [method for name, method in vars(sigseek.Library).items() if name[0] != "_"]
    if isinstance(step, Call):
        method = getattr(sigseek.Library, step.method)
        opening = keywords(open_library)
        options = {name: value for name, value in step.options if name not in opening}
        inspect.signature(method).bind(None, *step.arguments, **options)
    elif isinstance(step, Option):
        known = [keywords(method) for method in methods if callable(method)]
        assert step.name in keywords(open_library).union(keywords(Settings), *known)


@pytest.mark.parametrize(("place", "step"), STEPS)
def test_a_step_exists_on_the_command_line(place: str, step: Step) -> None:
    if isinstance(step, Option):
        option = spell(step).split()[0]
        taken = {
            name for one in COMMANDS for parameter in command(one).params for name in parameter.opts
        }
        assert option in taken
        return
    program, name, *typed = shlex.split(spell(step))
    assert program == "sigseek"
    assert name in COMMANDS
    command(name).make_context(name, typed, resilient_parsing=False)


@pytest.mark.parametrize(
    ("step", "typed", "called"),
    [
        (Call("forget", ("/MY PHOTOS",)), "sigseek forget '/MY PHOTOS'", "('/MY PHOTOS')"),
        (Call("forget", ("/P;Q",)), "sigseek forget '/P;Q'", "('/P;Q')"),
        (Call("forget", ("FOLDER",)), "sigseek forget FOLDER", "(FOLDER)"),
    ],
)
def test_only_a_word_in_capitals_is_a_placeholder(step: Call, typed: str, called: str) -> None:
    assert spell(step) == typed
    assert str(step) == f"library.forget{called}"
