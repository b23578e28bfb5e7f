"""Begins a migration: `make migration NAME="..."`, after `storage/catalog/tables.py` was changed.

It writes two files and changes a line, all to be read and committed together:

- `tests/schemas/<old>.sql`, a library of the schema before, by which the new migration is tested;
- `alembic/versions/<new>_<name>.py`, with what alembic finds to be different in the tables;
- `HEAD`, the newest schema that the program knows, and `READABLE_FROM`, as if older programs could
  not read it.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

ROOT = Path(__file__).parents[2]
_HEAD = re.compile(r'^(HEAD|READABLE_FROM) = "\d+"$', re.MULTILINE)


def main(name: str) -> None:
    """Write the dump, if it is not there yet, and the migration."""
    if not name.strip():
        raise SystemExit('say what changes: make migration NAME="photo titles"')
    config = Config()
    config.set_main_option("script_location", str(ROOT / "alembic").replace("%", "%%"))
    old = ScriptDirectory.from_config(config).get_current_head()
    assert old
    dump = ROOT / "tests" / "schemas" / f"{old}.sql"
    if not dump.exists():
        dump_committed(dump)
        print(f"wrote {dump}")
    new = f"{int(old) + 1:04}"
    print(f"wrote {write_migration(config, new, name)}")
    print(f"changed HEAD in {set_head(new)}")
    print("When you have read the migration, run `make schema`.")
    print("If the migration only adds tables and columns, put READABLE_FROM back to what it was.")


def dump_committed(dump: Path) -> None:
    """Have the last commit's program make a library and dump it.

    The program here cannot: its tables are already those of the next schema.
    """
    with tempfile.TemporaryDirectory() as directory:
        archive = Path(directory) / "archive.tar"
        subprocess.run(["git", "archive", "--output", archive, "HEAD"], cwd=ROOT, check=True)
        before = Path(directory) / "before"
        shutil.unpack_archive(archive, before, filter="tar")
        # Its own folder comes first on the path, before this one's.
        subprocess.run([sys.executable, "-m", "tests.schemas.make"], cwd=before, check=True)
        shutil.copyfile(before / dump.relative_to(ROOT), dump)


def write_migration(config: Config, revision: str, name: str) -> Path:
    """Write a migration from the newest schema to that of the tables, and return its file."""
    with tempfile.TemporaryDirectory() as directory:
        engine = create_engine(f"sqlite:///{directory}/catalog.sqlite")
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            # Only the last part of the path is a template: "0005_failure_kinds.py".
            config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
            script = command.revision(config, name, autogenerate=True, rev_id=revision)
        engine.dispose()
    assert script
    assert not isinstance(script, list)
    formatting = [sys.executable, "-m", "ruff", "format", "--quiet", script.path]
    subprocess.run(formatting, cwd=ROOT, check=True)  # as `make lint` wants it
    return Path(script.path)


def set_head(revision: str) -> Path:
    """Change the newest schema's number where it is written down, and the oldest one whose programs
    can read it; return that file.
    """
    for path in sorted((ROOT / "storage" / "catalog").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        changed, found = _HEAD.subn(rf'\g<1> = "{revision}"', text)
        if found:
            path.write_text(changed, encoding="utf-8")
            return path
    raise AssertionError("no file of storage/catalog says which schema is the newest")


if __name__ == "__main__":
    main(sys.argv[1])
