import ast
from pathlib import Path

from tests.conftest import ROOT

MAY_IMPORT = {
    "sigseek": {"sigseek", "search", "indexer", "storage", "siglip"},
    "search": {"search", "storage", "siglip"},
    "indexer": {"indexer", "storage", "siglip"},
    "storage": {"storage"},
    "siglip": {"siglip"},
}


def imported_rooms(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively, which this test cannot follow"
            names.add(node.module or "")
    return {name.split(".")[0] for name in names} & set(MAY_IMPORT)


def test_imports_point_one_way() -> None:
    seen = 0
    for room, allowed in MAY_IMPORT.items():
        for path in (ROOT / room).rglob("*.py"):
            assert imported_rooms(path) <= allowed, f"{path} imports {imported_rooms(path) - allowed}"
            seen += 1
    assert seen > 40


def test_working_rooms_neither_print_nor_exit() -> None:
    for room in ("search", "indexer", "storage", "siglip"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
                assert called not in ("print", "sys.exit", "exit"), f"{path}:{node.lineno}"


def test_the_migrations_do_not_shadow_alembic() -> None:
    import alembic

    assert not (ROOT / "alembic" / "__init__.py").exists()
    assert Path(alembic.__file__).parent != ROOT / "alembic"
