"""Kills processes that index together, and measures what it costs to share files.

    python -m benchmarks.workers kills --files 20000 --kills 200 --server-kills 20
    python -m benchmarks.workers commits
    python -m benchmarks.workers claiming
    python -m benchmarks.workers two

`kills` has four processes index drawings with mini into a PostgreSQL database. One process after
another is killed (SIGKILL) at random instants and started again, and so is the server. One drawing
kills each process that reads it. At the end the library must equal that of one process which nobody
killed, but for that drawing.

`commits` counts the files a second that four processes store when reading and embedding cost
nothing. `claiming` compares one process that claims its files with one that does not, with mini.
`two` compares two processes with one, when a tower that sleeps takes most of the time.
"""

import os

import numpy as np
from sqlalchemy import URL, create_engine, text

_FILES = """
    SELECT folder.path AS root, file.path, missing_since IS NULL AS present, size, mtime_ns,
        upper(encode(photo.digest, 'hex')) AS picture, upper(encode(file.digest, 'hex')) AS digest,
        vector, value
    FROM file
    JOIN folder ON folder.id = folder_id
    JOIN photo ON photo.id = file.photo_id
    LEFT JOIN embedding ON embedding.photo_id = photo.id
    LEFT JOIN bias ON bias.photo_id = photo.id
"""
_FAILURES = (
    "SELECT folder.path AS root, failure.path, reason FROM failure "
    "JOIN folder ON folder.id = folder_id"
)


def contents_of_database(url: URL) -> dict[str, object]:
    """Return what `benchmarks.crashes.contents` does, of a library in a PostgreSQL database."""
    found: dict[str, object] = {}
    engine = create_engine(url)
    with engine.connect() as connection:
        for (path,) in connection.execute(text("SELECT path FROM folder")):
            found[f"folder {os.fsdecode(path)}"] = True
        for row in connection.execute(text(_FILES)):
            path = f"{os.fsdecode(row.root)}/{os.fsdecode(row.path)}"
            facts = (int(row.present), row.size, row.mtime_ns, row.picture, row.digest)
            found[f"file {path}"] = (*facts, row.value is None)
            found[f"embedding {path}"] = (
                None if row.vector is None else np.frombuffer(row.vector, "<f2").astype(np.float32)
            )
        for row in connection.execute(text(_FAILURES)):
            found[f"failure {os.fsdecode(row.root)}/{os.fsdecode(row.path)}"] = row.reason
        for name, digest in connection.execute(
            text(
                "SELECT name, upper(encode(digest, 'hex')) FROM tag "
                "JOIN photo ON photo.id = photo_id"
            )
        ):
            found[f"tag {name} {digest}"] = True
        for table in ("photo", "embedding"):
            found[f"count {table}"] = connection.execute(
                text(f"SELECT count(*) FROM {table}")
            ).scalar()
    engine.dispose()
    return found
