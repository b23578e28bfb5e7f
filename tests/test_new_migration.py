"""`make migration` writes a migration for what has changed in the tables."""

import io
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory

from tests.conftest import ROOT
from tests.schemas import new

NEW_TABLE = """

class NewColumns(TypedColumns):
    id: Named[int] = Column(WHOLE, primary_key=True)
    path: Named[str] = Column(PATH)
    name: Named[str | None] = Column(TEXT)
    made_at: Named[datetime | None] = Column(TIME)


NEW = Table("new_table", METADATA, NewColumns)
"""


def newest(checkout: Path) -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(checkout / "alembic"))
    return ScriptDirectory.from_config(config)


def statements(migration: Script, dialect: str) -> str:
    """Return what the migration does to a database of this kind."""
    written = io.StringIO()
    options = {"as_sql": True, "output_buffer": written}
    context = MigrationContext.configure(dialect_name=dialect, opts=options)
    with Operations.context(context):
        migration.module.upgrade()
    return " ".join(written.getvalue().replace('"', "").split())


def test_a_changed_table_becomes_the_next_migration(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    ignore = shutil.ignore_patterns("__pycache__", ".*", "demo-photos", "mini", "benchmarks")
    shutil.copytree(ROOT, checkout, symlinks=True, ignore=ignore)
    old = newest(checkout).get_current_head()
    assert old
    # As if an earlier run had made it, which takes a checkout with history and half a minute.
    (checkout / "tests" / "schemas" / f"{old}.sql").touch()
    with (checkout / "storage" / "catalog" / "tables.py").open("a") as tables:
        tables.write(NEW_TABLE)
    program = [sys.executable, "-m", "tests.schemas.new", "a new table"]
    done = subprocess.run(program, cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    revision = f"{int(old) + 1:04}"
    script = newest(checkout).get_revision(revision)
    assert Path(script.path).name == f"{revision}_a_new_table.py"
    assert script.down_revision == old
    written = Path(script.path).read_text()
    assert written.count("op.") == 1, "nothing else differs between the tables and the migrations"
    assert "op.create_table(" in written
    # It runs, and paths and text are what they are in the tables of this schema.
    as_text = "path VARCHAR NOT NULL, name VARCHAR, made_at DATETIME"
    assert as_text in statements(script, "sqlite")
    as_bytes = "path BYTEA NOT NULL, name VARCHAR COLLATE C, made_at TIMESTAMP"
    assert as_bytes in statements(script, "postgresql")
    lint = [sys.executable, "-m", "ruff", "format", "--check", script.path]
    assert subprocess.run(lint, cwd=checkout, check=False).returncode == 0
    (head,) = [
        path
        for path in (checkout / "storage" / "catalog").rglob("*.py")
        if f'\nHEAD = "{revision}"\n' in path.read_text()
    ]
    assert str(head) in done.stdout
    # Until the author has said that the migration only adds, older programs do not read it.
    assert f'\nREADABLE_FROM = "{revision}"\n' in head.read_text()


def test_a_migration_has_a_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(new, "ROOT", tmp_path)  # where nothing can be written by mistake
    with pytest.raises(SystemExit, match="NAME="):
        new.main(" ")
