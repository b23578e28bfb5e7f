"""Begins a migration: `make migration NAME="what it does"`, before the models are changed.

It keeps a dump of a small library with the schema as it is now, so that tests can upgrade it; writes
an empty migration; and makes that one the newest that the program knows.
"""

import re
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config

from sigseek.storage.catalog import schema
from tests.schemas import make


def begin(name: str, directory: Path, schema_module: Path) -> Path:
    """Write an empty migration of this name into `directory`, and note it as the newest in the
    source `schema_module`; the migration's file.
    """
    config = Config()
    config.set_main_option("script_location", str(directory).replace("%", "%%"))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    revision = f"{int(schema.HEAD) + 1:04}"
    command.revision(config, name, rev_id=revision)
    source = schema_module.read_text(encoding="utf-8")
    noted, count = re.subn(r'(?m)^HEAD = "\d+"$', f'HEAD = "{revision}"', source)
    assert count == 1, f"{schema_module} does not say which migration is the newest"
    schema_module.write_text(noted, encoding="utf-8")
    (written,) = directory.glob(f"versions/{revision}_*.py")
    return written


def main() -> None:
    if len(sys.argv) != 2 or not re.search(r"\w", sys.argv[1]):
        raise SystemExit('give a name: make migration NAME="what it does"')
    if not (make.SCHEMAS / f"{schema.HEAD}.sql").exists():
        make.main()
    assert schema.__file__
    written = begin(sys.argv[1], schema.migrations_directory(), Path(schema.__file__))
    print(f"Now change storage/catalog/models.py, and fill in {written}.")


if __name__ == "__main__":
    main()
