"""The record: a SQLite file or a PostgreSQL database, opened for one transaction, kept whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trichotrack
from trichotrack.problems import InputError, Problem, with_extra

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

DEFAULT_RECORD = Path("trichotrack.sqlite")
RECORD_VARIABLE = "TRICHOTRACK_RECORD"

BUSY_TIMEOUT_MS = 30_000
"""How long a second program waits for the one that is writing."""

_MAGIC = b"SQLite format 3\0"

_POSTGRESQL = "postgresql"
_WRITERS_LOCK = 7_469_834
"""Key of PostgreSQL's advisory lock that makes writers take turns, as SQLite's one place for writing does."""


@contextmanager
def open_record(path: str | Path, *, write: bool = False, create: bool = False) -> Iterator[Session]:
    """A session on the record at path: committed at the end of the block, rolled back where it raises.

    path: a SQLite file, or a URL such as postgresql+pg8000://user@host/database. write: take the record's one place
    for writing at once, so that what is read in the block still holds when it is written. create: write, and begin a
    new record where there is none. A record of an older version is brought up to this one first, in one transaction.
    Raises InputError where there is none and create is not set, where it is something else, was written by a newer
    trichotrack, or is held by another program.
    """
    write = write or create
    with _session(path, write=write, create=create) as (session, current):
        if current:
            yield session
            return
    with _session(path, write=True, create=False):
        pass  # an older record, opened for reading: brought up to date first
    with _session(path, write=False, create=False) as (session, _):
        yield session


def record_exists(path: str | Path) -> bool:
    """Whether there is something at path to open. Raises InputError where a database cannot be asked."""
    if not _is_url(path):
        return Path(path).exists()
    try:
        with open_record(path):
            return True
    except InputError as error:
        if _NO_RECORD not in str(error):
            raise
        return False


def shown(path: str | Path) -> str:
    """The record's place as printed: never with a password."""
    if not _is_url(path):
        return str(path)
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(str(path)).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return str(path).partition("://")[0] + "://…"


def _is_url(path: str | Path) -> bool:
    return isinstance(path, str) and "://" in path


@contextmanager
def _session(path: str | Path, *, write: bool, create: bool) -> Iterator[tuple[Session, bool]]:
    """The session, and whether its tables are of this version (always, where it may write)."""
    from sqlalchemy.exc import DatabaseError, IntegrityError, InterfaceError, OperationalError
    from sqlalchemy.orm import Session

    if not _is_url(path):
        _check_file(Path(path), create=create)
    engine = _engine(path, write=write)
    try:
        with Session(engine) as session, session.begin():
            _connect(session, path)
            yield session, _check_schema(session, path, write=write, create=create)
    except IntegrityError:
        message = "changed while this command ran, so that its additions no longer fit; nothing was written"
        raise InputError(Problem(shown(path), message, "Run it again.")) from None
    except (DatabaseError, InterfaceError) as error:
        if not _is_url(path) and type(error) not in {DatabaseError, OperationalError}:
            raise  # not the file's fault
        message = f"cannot be used as a record ({_cause(error)})"
        raise InputError(Problem(shown(path), message, _remedy(error))) from None
    finally:
        engine.dispose()


def _connect(session: Session, path: str | Path) -> None:
    """Raises InputError where a database cannot be reached; a file has been looked at before."""
    try:
        session.connection()
    except ModuleNotFoundError as error:
        raise _no_driver(path, error) from None
    except Exception as error:
        if not _is_url(path) or "lock timeout" in str(error):
            raise
        message = f"cannot be reached ({_cause(error)})"
        raise InputError(Problem(shown(path), message, "Check the URL, and that the server runs.")) from None


def _engine(path: str | Path, *, write: bool) -> Engine:
    return _postgresql(str(path), write=write) if _is_url(path) else _sqlite(Path(path), write=write)


def _sqlite(path: Path, *, write: bool) -> Engine:
    from sqlalchemy import URL, create_engine, event

    engine = create_engine(URL.create("sqlite", database=str(path)))

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        # Python's driver would begin a transaction only at the first change, and commit before tables are made.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def _begun(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _postgresql(url: str, *, write: bool) -> Engine:
    from sqlalchemy import create_engine, event
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    remedy = "Name a file, or a URL such as postgresql+pg8000://user@host/database."
    try:
        place = make_url(url)
    except (ArgumentError, ValueError):
        raise InputError(Problem("--record", "is not a URL of a database", remedy, value=shown(url))) from None
    if place.get_backend_name() != _POSTGRESQL:
        raise InputError(Problem("--record", "is neither a file nor a PostgreSQL database", remedy, value=shown(url)))
    if place.drivername == _POSTGRESQL:
        place = place.set(drivername=f"{_POSTGRESQL}+pg8000")
    try:
        engine = create_engine(place)
    except ModuleNotFoundError as error:
        raise _no_driver(url, error) from None
    except NoSuchModuleError:
        raise InputError(Problem("--record", "names an unknown driver", remedy, value=shown(url))) from None

    @event.listens_for(engine, "begin")
    def _begun(connection: Any) -> None:
        if write:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {BUSY_TIMEOUT_MS}")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS_LOCK})")
        else:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")

    return engine


def _no_driver(path: str | Path, error: ModuleNotFoundError) -> InputError:
    return InputError(Problem(shown(path), f"needs {error.name}, which is not installed", with_extra("postgres")))


def _check_file(path: Path, *, create: bool) -> None:
    try:
        if path.is_dir():
            raise InputError(Problem(str(path), "is a folder, not a record", "Name a file with --record."))
        if not path.exists():
            if not create:
                raise InputError(Problem(str(path), _NO_RECORD, _BEGIN))
            if not path.parent.is_dir():
                raise InputError(Problem(str(path), "its folder does not exist", "Make the folder first."))
            return
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be opened ({error.strerror})", "Check its rights.")) from None
    if head and head != _MAGIC:
        raise InputError(Problem(str(path), "is not a SQLite file, so not a record", "Name another with --record."))


_NO_RECORD = "there is no record here"
_BEGIN = "Name it with --record, or begin one with `trichotrack visit add` or `trichotrack patient add`."


def _check_schema(session: Session, path: str | Path, *, write: bool, create: bool) -> bool:
    """Whether the tables are of this version; where it may write, they are after this. Raises InputError."""
    from sqlalchemy import inspect, select

    from trichotrack.visits.schema import SCHEMA_VERSION, RecordInfo

    tables = set(inspect(session.connection()).get_table_names())
    if not tables and create:
        from trichotrack.visits.upgrade import create_tables

        create_tables(session.connection())
        session.add(RecordInfo(schema_version=SCHEMA_VERSION, created_by=f"trichotrack {trichotrack.__version__}"))
        session.flush()
        return True
    if not tables and _is_url(path):
        raise InputError(Problem(shown(path), _NO_RECORD, _BEGIN))
    versions = list(session.scalars(select(RecordInfo.schema_version))) if "record_info" in tables else []
    if len(versions) != 1:
        message = f"is a {'database' if _is_url(path) else 'SQLite file'}, but not a record of trichotrack"
        raise InputError(Problem(shown(path), message, "Name another with --record."))
    if versions[0] > SCHEMA_VERSION:
        message = f"was written by a newer trichotrack (record version {versions[0]}; this one reads {SCHEMA_VERSION})"
        raise InputError(Problem(shown(path), message, "Update trichotrack; nothing was changed."))
    if versions[0] < SCHEMA_VERSION and write:
        from trichotrack.visits.upgrade import upgrade_tables

        upgrade_tables(session.connection(), versions[0])
        return True
    return versions[0] == SCHEMA_VERSION


def _cause(error: Exception) -> str:
    said: object = getattr(error, "orig", None) or error
    if isinstance(said, Exception) and said.args and isinstance(said.args[0], dict):
        said = said.args[0].get("M", said)  # as pg8000 hands on what the server said
    return str(said).strip().rstrip(".")


def _remedy(error: Exception) -> str:
    if "lock" in str(error):
        return "Another program is writing to it: close that, or try again later."
    return "Check the file and its rights; it may be damaged, then take the last copy."
