import ast
import re
from functools import cache
from pathlib import Path

import pytest

from sigseek.cli.main import COMMANDS
from tests.conftest import ROOT, UNMEASURED

MAY_IMPORT = {
    "sigseek": {"sigseek", "search", "indexer", "storage", "siglip"},
    "search": {"search", "storage", "siglip"},
    "indexer": {"indexer", "storage", "siglip"},
    "storage": {"storage"},
    "siglip": {"siglip"},
}
ROOMS = set(MAY_IMPORT) - {"sigseek"}


GROUND = {
    "sigseek.cities",
    "sigseek.deferred",
    "sigseek.disk",
    "sigseek.errors",
    "sigseek.files",
    "sigseek.geography",
    "sigseek.paths",
    "sigseek.progress",
}
"""What every room may import, because it imports none of them."""


def room_of(module: str) -> str | None:
    """Return the room of a module of ours: `sigseek.search.query` is in `search`, `sigseek.library`
    in `sigseek`.
    """
    parts = module.split(".")
    if parts[0] in ROOMS:
        raise AssertionError(f"{module} is named without sigseek, and would be another module")
    if parts[0] != "sigseek" or ".".join(parts[:2]) in GROUND:
        return None
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else "sigseek"


@cache
def nodes_of(path: Path) -> list[ast.AST]:
    """Return all nodes of a file's syntax tree; finding them for each test would take seconds."""
    return list(ast.walk(ast.parse(path.read_text())))


@cache
def imported_names(path: Path) -> frozenset[str]:
    names: set[str] = set()
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively, which this test cannot follow"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def imported_rooms(path: Path) -> set[str]:
    return {room for name in imported_names(path) if (room := room_of(name))}


def test_imports_point_one_way() -> None:
    seen = 0
    for room, allowed in MAY_IMPORT.items():
        for path in (ROOT / room).rglob("*.py"):  # which does not follow the links in `sigseek`
            assert imported_rooms(path) <= allowed, (
                f"{path} imports {imported_rooms(path) - allowed}"
            )
            seen += 1
    assert seen > 40


def test_the_ground_rests_on_nothing() -> None:
    for module in GROUND:
        path = ROOT / f"{module.replace('.', '/')}.py"
        ours = {name for name in imported_names(path) if name.split(".")[0] == "sigseek"}
        assert {".".join(name.split(".")[:2]) for name in ours} <= set(GROUND)


def test_decoding_one_file_knows_nothing_of_folders() -> None:
    for path in (ROOT / "indexer" / "decoding").rglob("*.py"):
        ours = {name for name in imported_names(path) if room_of(name) == "indexer"}
        others = {
            name
            for name in ours
            if not name.startswith(("sigseek.indexer.decoding.", "sigseek.indexer.errors."))
        }
        assert not others, f"{path} imports {others}"


MUST_NOT_IMPORT = {
    "storage/catalog": ("storage.index",),
    "storage/index": ("storage.catalog",),
    "sigseek/operations": ("library", "cli", "pages", "web", "demo"),
    "sigseek/evaluation": ("cli", "pages", "operations", "demo"),
    "sigseek/pages": ("cli", "operations", "demo", "library", "web"),
    "sigseek/web": ("cli", "pages", "demo"),
    "sigseek/demo": ("cli", "pages", "operations"),
}
"""Folders that stand side by side, or one above the other, inside of a room."""


@pytest.mark.parametrize("folder", MUST_NOT_IMPORT)
def test_folders_of_one_room_know_only_those_below_them(folder: str) -> None:
    paths = list((ROOT / folder).rglob("*.py"))
    assert paths
    for path in paths:
        for name in imported_names(path):
            for other in MUST_NOT_IMPORT[folder]:
                assert not f"{name}.".startswith(f"sigseek.{other}."), f"{path} imports {name}"


def test_working_rooms_neither_print_nor_exit() -> None:
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            for node in nodes_of(path):
                called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
                assert called not in ("print", "sys.exit", "exit"), f"{path}:{node.lineno}"


def test_working_rooms_name_no_command_and_no_option() -> None:
    """Working rooms give a Remedy; `sigseek.cli.remedies` spells it, as it does the library that
    was typed.
    """
    spoken = re.compile(rf"sigseek ({'|'.join(COMMANDS)})\b|(?<![\w-])--[a-z][a-z-]+")
    found = set()
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            nodes = nodes_of(path)
            docstrings = {node.value for node in nodes if isinstance(node, ast.Expr)}
            for node in set(nodes) - docstrings:
                text = node.value if isinstance(node, ast.Constant) else None
                if isinstance(text, str) and spoken.search(text):
                    found.add(path.relative_to(ROOT).as_posix())
    assert not found


@pytest.mark.parametrize(
    ("module", "importing"),
    [
        ("faiss", {"storage/index"}),
        ("pymilvus", {"storage/index"}),
        ("psycopg", {"storage/catalog/postgresql.py"}),
        ("ray", {"sigseek/operations/ray_cluster.py"}),
        ("sqlite3", {"storage/catalog/sqlite.py"}),
    ],
)
def test_an_engine_has_one_place(module: str, importing: set[str]) -> None:
    found = set()
    for room in MAY_IMPORT:
        for path in (ROOT / room).rglob("*.py"):
            if any(name.split(".")[0] == module for name in imported_names(path)):
                place = path.relative_to(ROOT)
                is_index = place.parent.as_posix() == "storage/index"
                found.add((place.parent if is_index else place).as_posix())
    assert found == importing


def test_nobody_asks_which_database_it_is() -> None:
    """What only one database does is in its dialect; `sigseek.storage.catalog.dialect` promises
    it.
    """
    for room in MAY_IMPORT:
        for path in (ROOT / room).rglob("*.py"):
            for node in nodes_of(path):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance":
                    assert "Dialect" not in ast.unparse(node.args[1]), f"{path}:{node.lineno}"


def test_each_room_is_linked_into_the_package() -> None:
    for room in ROOMS:
        assert (ROOT / "sigseek" / room).resolve() == ROOT / room


def test_the_migrations_do_not_shadow_alembic() -> None:
    import alembic

    assert not (ROOT / "alembic" / "__init__.py").exists()
    assert Path(alembic.__file__).parent != ROOT / "alembic"


def test_the_tests_that_are_not_measured_exist() -> None:
    for line in UNMEASURED:
        if not line.startswith("#"):
            module, _, name = line.partition("::")
            assert f"def {name}" in (ROOT / "tests" / module).read_text(), line
