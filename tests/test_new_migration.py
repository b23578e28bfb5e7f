"""`make migration` writes a migration for what has changed in the tables."""

import shutil
import subprocess
import sys
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from tests.conftest import ROOT

NEW_TABLE = """

class NewColumns(TypedColumns):
    id: Named[int] = Column(WHOLE, primary_key=True)


NEW = Table("new_table", METADATA, NewColumns)
"""


def newest(checkout: Path) -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(checkout / "alembic"))
    return ScriptDirectory.from_config(config)


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
    new = f"{int(old) + 1:04}"
    script = newest(checkout).get_revision(new)
    assert Path(script.path).name == f"{new}_a_new_table.py"
    assert script.down_revision == old
    written = Path(script.path).read_text()
    assert written.count("op.") == 1, "nothing else differs between the tables and the migrations"
    assert "op.create_table(" in written
    lint = [sys.executable, "-m", "ruff", "format", "--check", script.path]
    assert subprocess.run(lint, cwd=checkout, check=False).returncode == 0
    (head,) = [
        path
        for path in (checkout / "storage" / "catalog").rglob("*.py")
        if f'\nHEAD = "{new}"\n' in path.read_text()
    ]
    assert str(head) in done.stdout
    # Until the author has said that the migration only adds, older programs do not read it.
    assert f'\nREADABLE_FROM = "{new}"\n' in head.read_text()
