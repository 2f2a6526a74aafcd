"""An older record brought up to the tables of this version, by the steps in migrations/."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trichotrack.visits.schema import SCHEMA_VERSION, Base

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

_FIRST_WITH_ALEMBIC = 2
"""Records of version 1 do not say their Alembic revision; theirs is 0001."""


def create_tables(connection: Connection) -> None:
    """The tables of this version in an empty database, said to be so."""
    from alembic import command

    Base.metadata.create_all(connection)
    command.stamp(_config(connection), _revision(SCHEMA_VERSION))


def upgrade_tables(connection: Connection, version: int) -> None:
    """From version to this one, in the transaction that is open on the connection: all the steps or none."""
    from alembic import command

    config = _config(connection)
    if version < _FIRST_WITH_ALEMBIC:
        command.stamp(config, _revision(version))
    command.upgrade(config, _revision(SCHEMA_VERSION))


def _config(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "trichotrack.visits:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _revision(version: int) -> str:
    return f"{version:04d}"
