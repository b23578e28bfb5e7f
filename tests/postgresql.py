"""A PostgreSQL server of the tests' own: no network, nothing durable, gone with its starter."""

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import URL, create_engine
from sqlalchemy.pool import NullPool

from sigseek.storage.catalog.postgresql import PostgreSqlDialect

_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "50",
    "shared_buffers": "32MB",
}
_ENVIRONMENT = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
_STARTING = 60  # seconds, on a busy machine


def address(url: URL) -> str:
    """Return the address as a person types it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


class Server:
    """A running server, which makes databases with the tables of a new library."""

    def __init__(self, sockets: Path) -> None:
        self.sockets = self._sockets = sockets
        self._numbers = itertools.count()
        self._admin = create_engine(
            self._url("postgres"), isolation_level="AUTOCOMMIT", poolclass=NullPool
        )
        self._run("CREATE DATABASE made")
        PostgreSqlDialect(self._url("made")).close()

    def empty_database(self) -> URL:
        """Make a database without tables."""
        return self._new("template1")

    def database(self) -> URL:
        """Make a database with the tables of a new library; copying them is faster than making
        them.
        """
        return self._new("made")

    def english_database(self) -> URL:
        """Make a database without tables whose texts are in the order of an English dictionary."""
        return self._new("template0", "LOCALE_PROVIDER icu ICU_LOCALE 'en-US'")

    def make_anew(self, url: URL) -> None:
        """Put an empty database in the place of one."""
        self.drop(url)
        self._run(f"CREATE DATABASE {url.database}")

    def directory(self, name: str) -> Path:
        """Make a directory of the server's."""
        made = self._sockets / name
        made.mkdir()
        if os.geteuid() == 0:
            shutil.chown(made, "postgres", "postgres")
        return made

    def database_in(self, directory: Path) -> URL:
        """Make an empty database whose files are in the directory."""
        self._run(f"CREATE TABLESPACE {directory.name} LOCATION '{directory}'")
        return self._new("template1", f"TABLESPACE {directory.name}")

    def drop_with_tablespace(self, url: URL, directory: Path) -> None:
        """Remove a database that is in the directory, which the server uses no longer."""
        self.drop(url)
        self._run(f"DROP TABLESPACE {directory.name}")

    def drop(self, url: URL) -> None:
        """Remove a database, though connections to it may be open."""
        self._run(f"DROP DATABASE {url.database} WITH (FORCE)")

    def copy_of(self, url: URL) -> URL:
        """Make a copy of a database to which nobody is connected."""
        self.end_connections(url)
        return self._new(str(url.database))

    def end_connections(self, url: URL) -> None:
        """End all connections to a database, as a restart of the server does."""
        self._run(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            f"WHERE datname = '{url.database}'"
        )

    def refuse_connections(self, url: URL, *, refuse: bool) -> None:
        """Have the server be away for one database, or back."""
        self._run(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS {not refuse}")
        if refuse:
            self.end_connections(url)

    def run_in(self, url: URL, statement: str) -> None:
        """Execute a statement in a database."""
        engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)

    def give_password(self, url: URL, user: str, password: str) -> None:
        """Give a database to a new user, who needs a password."""
        self._run(f"CREATE ROLE {user} LOGIN PASSWORD '{password}'")
        self._run(f"ALTER DATABASE {url.database} OWNER TO {user}")
        rules = self._sockets / "data" / "pg_hba.conf"
        rules.write_text(f"local all {user} scram-sha-256\n{rules.read_text()}")
        self._run("SELECT pg_reload_conf()")

    def reader(self, url: URL, user: str) -> URL:
        """Make a user who may only read a database, and return the database as this user's."""
        self._run(f"CREATE ROLE {user} LOGIN")
        self.run_in(url, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {user}")
        return url.set(username=user)

    def _new(self, template: str, more: str = "") -> URL:
        name = f"test{next(self._numbers)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {template} {more}")
        return self._url(name)

    def _url(self, database: str) -> URL:
        return URL.create(
            "postgresql+psycopg",
            username="sigseek",
            database=database,
            query={"host": str(self._sockets)},
        )

    def _run(self, statement: str) -> None:
        with self._admin.connect() as connection:
            connection.exec_driver_sql(statement)


def programs() -> Path | None:
    """Return the directory of initdb and postgres, of the newest version; None where none is
    installed.
    """
    on_path = shutil.which("initdb")
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"),
        key=lambda directory: float(directory.parent.name),
        reverse=True,
    )
    found = ([Path(on_path).resolve().parent] if on_path else []) + versions
    return next((path for path in found if (path / "initdb").exists()), None)


@contextlib.contextmanager
def running_server(directory: Path, **settings: str) -> Iterator[Server]:
    """Run a server with the programs in `directory`. `settings` replace those for tests."""
    # Not in pytest's own directory, which is root's alone and whose name is too long for a socket.
    home = Path(tempfile.mkdtemp(prefix="sigseek-pg-"))
    try:
        make_cluster(home, directory)
        process = start_server(home, directory, **settings)
        try:
            yield Server(home)
        finally:
            process.send_signal(signal.SIGQUIT)  # at once: nothing has to be kept
            process.wait(10)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def running_standby(server: Server, directory: Path) -> Iterator[Path]:
    """Run a second server that repeats all that the first one does and can only be read, and give
    the directory of its sockets.
    """
    home = Path(tempfile.mkdtemp(prefix="sigseek-pg-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(home, "postgres", "postgres")
        copy = ["-D", home / "data", "-h", server.sockets, "-U", "sigseek", "-R", "-c", "fast"]
        subprocess.run(
            [*_bound_to_us(), directory / "pg_basebackup", *copy],
            check=True,
            capture_output=True,
            cwd=home,
            env=_ENVIRONMENT,
        )
        process = start_server(home, directory)
        try:
            yield home
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait(10)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def make_cluster(home: Path, directory: Path) -> None:
    """Make the files of an empty server in `home`."""
    if os.geteuid() == 0:
        shutil.chown(home, "postgres", "postgres")
    home.chmod(0o711)  # tests without root's rights reach the sockets, too
    subprocess.run(
        [
            *(*_bound_to_us(), directory / "initdb", "-D", home / "data", "-U", "sigseek"),
            *("-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"),
        ],
        check=True,
        capture_output=True,
        cwd=home,
        env=_ENVIRONMENT,
    )


def start_server(home: Path, directory: Path, **others: str) -> "subprocess.Popen[bytes]":
    """Start the server in `home`, and return when it answers. RuntimeError if it ends before."""
    settings = [f"--{name}={value}" for name, value in (_SETTINGS | others).items()]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(*_bound_to_us(), directory / "postgres", "-D", home / "data"),
                *(*settings, f"--unix_socket_directories={home}"),
            ],
            stdout=log,
            stderr=log,
            cwd=home,
            env=_ENVIRONMENT,
        )
    _wait(process, directory / "pg_isready", home)
    return process


def _bound_to_us() -> list[str]:
    """Return the beginning of a command line: the program ends with us, even if we are killed, and
    is not root's, which PostgreSQL's programs refuse to be.
    """
    if shutil.which("setpriv") is None:
        return []
    user = ["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
    return ["setpriv", "--pdeathsig", "QUIT", *(user if os.geteuid() == 0 else [])]


def _wait(process: "subprocess.Popen[bytes]", is_ready: Path, home: Path) -> None:
    ends = time.monotonic() + _STARTING
    while subprocess.run([is_ready, "-q", "-h", home, "-U", "sigseek"], check=False).returncode:
        if process.poll() is not None or time.monotonic() > ends:
            raise RuntimeError((home / "log").read_text())
        time.sleep(0.05)
