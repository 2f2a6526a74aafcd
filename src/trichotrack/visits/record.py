"""The record: one SQLite file, opened for one transaction that is kept as a whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trichotrack
from trichotrack.problems import InputError, Problem

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

DEFAULT_RECORD = Path("trichotrack.sqlite")
RECORD_VARIABLE = "TRICHOTRACK_RECORD"

BUSY_TIMEOUT_MS = 30_000
"""How long a second program waits for the one that is writing."""

_MAGIC = b"SQLite format 3\0"


@contextmanager
def open_record(path: str | Path, *, write: bool = False, create: bool = False) -> Iterator[Session]:
    """A session on the record at path: committed at the end of the block, rolled back where it raises.

    write: take the record's one place for writing at once, so that what is read in the block still holds when it is
    written. create: write, and begin a new record where there is none.
    Raises InputError where there is none and create is not set, where the file is something else, was written by a
    newer trichotrack, or is held by another program.
    """
    from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError
    from sqlalchemy.orm import Session

    path = Path(path)
    _check_file(path, create=create)
    engine = _engine(path, write=write or create)
    try:
        with Session(engine) as session, session.begin():
            _check_schema(session, path, create=create)
            yield session
    except IntegrityError:
        message = "changed while this command ran, so that its additions no longer fit; nothing was written"
        raise InputError(Problem(str(path), message, "Run it again.")) from None
    except DatabaseError as error:
        if type(error) not in {DatabaseError, OperationalError}:
            raise  # not the file's fault
        raise InputError(Problem(str(path), f"cannot be used as a record ({_cause(error)})", _remedy(error))) from None
    finally:
        engine.dispose()


def _engine(path: Path, *, write: bool) -> Engine:
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


def _check_file(path: Path, *, create: bool) -> None:
    try:
        if path.is_dir():
            raise InputError(Problem(str(path), "is a folder, not a record", "Name a file with --record."))
        if not path.exists():
            if not create:
                remedy = (
                    "Name it with --record, or begin one with `trichotrack visit add` or `trichotrack patient add`."
                )
                raise InputError(Problem(str(path), "there is no record here", remedy))
            if not path.parent.is_dir():
                raise InputError(Problem(str(path), "its folder does not exist", "Make the folder first."))
            return
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be opened ({error.strerror})", "Check its rights.")) from None
    if head and head != _MAGIC:
        raise InputError(Problem(str(path), "is not a SQLite file, so not a record", "Name another with --record."))


def _check_schema(session: Session, path: Path, *, create: bool) -> None:
    from sqlalchemy import inspect, select

    from trichotrack.visits.schema import SCHEMA_VERSION, Base, RecordInfo

    tables = set(inspect(session.connection()).get_table_names())
    if not tables and create:
        Base.metadata.create_all(session.connection())
        session.add(RecordInfo(schema_version=SCHEMA_VERSION, created_by=f"trichotrack {trichotrack.__version__}"))
        session.flush()
        return
    versions = list(session.scalars(select(RecordInfo.schema_version))) if "record_info" in tables else []
    if len(versions) != 1:
        message = "is a SQLite file, but not a record of trichotrack"
        raise InputError(Problem(str(path), message, "Name another with --record."))
    if versions[0] > SCHEMA_VERSION:
        message = f"was written by a newer trichotrack (record version {versions[0]}; this one reads {SCHEMA_VERSION})"
        raise InputError(Problem(str(path), message, "Update trichotrack; nothing was changed."))


def _cause(error: Exception) -> str:
    return str(getattr(error, "orig", error)).strip().rstrip(".")


def _remedy(error: Exception) -> str:
    if "locked" in str(error):
        return "Another program is writing to it: close that, or try again later."
    return "Check the file and its rights; it may be damaged, then take the last copy."
