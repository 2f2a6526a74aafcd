"""Version 2: history, tapers, ClinRO, laboratory values, adverse events, photographs; and what is reviewed."""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=False)


def _day() -> sa.Column[object]:
    return sa.Column("date", sa.Date(), nullable=False)


def _text_added(table: str, name: str) -> None:
    op.add_column(table, sa.Column(name, sa.String(), nullable=False, server_default=""))


def _of_patient(name: str, *columns: sa.schema.SchemaItem) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("patient_id", sa.String(), sa.ForeignKey("patients.id"), nullable=False, index=True),
        *columns,
        sa.Column("added_at", sa.DateTime(), nullable=False),
    )


def upgrade() -> None:
    for name in ("current_onset", "last_regrowth", "atopy"):
        _text_added("patients", name)
    _text_added("treatments", "taper")
    op.add_column("captures", sa.Column("reviewed", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index(
        "ix_captures_unreviewed", "captures", ["visit_id"],
        sqlite_where=sa.text("NOT reviewed"), postgresql_where=sa.text("NOT reviewed"),
    )  # fmt: skip
    op.add_column("readings", sa.Column("awaits_review", sa.Boolean(), nullable=False, server_default=sa.false()))
    _text_added("readings", "sha256")
    _of_patient(
        "clinro", _day(), sa.Column("eyebrow", sa.Integer()), sa.Column("eyelash", sa.Integer()),
        sa.UniqueConstraint("patient_id", "date"),
    )  # fmt: skip
    _of_patient(
        "labs", _day(), _text("name"), _text("qualifier"), sa.Column("value", sa.Double(), nullable=False),
        _text("unit"), sa.Column("low", sa.Double()), sa.Column("high", sa.Double()),
        sa.UniqueConstraint("patient_id", "date", "name"),
    )  # fmt: skip
    _of_patient(
        "events", _text("kind"), sa.Column("grade", sa.Integer()), _text("start"), _text("end"),
        sa.UniqueConstraint("patient_id", "kind", "start"),
    )  # fmt: skip
    _of_patient(
        "photos", _day(), sa.Column("sha256", sa.String(), nullable=False, unique=True), _text("view"),
        _text("file"), sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False), sa.Column("jpeg", sa.LargeBinary(), nullable=False),
    )  # fmt: skip
    _fill()
    op.create_index("uq_readings_content", "readings", ["capture_id", "sha256", "added_at"], unique=True)
    op.execute(sa.text("UPDATE record_info SET schema_version = 2"))


def _fill() -> None:
    """What the new columns say of the rows that are there: each reading's sha256, and which captures are reviewed."""
    connection = op.get_bind()
    for reading_id in list(connection.scalars(sa.text("SELECT id FROM readings ORDER BY id"))):
        given = {"id": reading_id}
        reading = connection.scalar(sa.text("SELECT reading FROM readings WHERE id = :id"), given)
        digest = hashlib.sha256(reading.encode()).hexdigest()
        connection.execute(sa.text("UPDATE readings SET sha256 = :sha256 WHERE id = :id"), given | {"sha256": digest})
    current = (
        "SELECT CASE WHEN r.author <> 'model' OR EXISTS (SELECT 1 FROM reviews WHERE reviews.reading_id = r.id) "
        "THEN true ELSE false END FROM readings AS r WHERE r.capture_id = captures.id "
        "ORDER BY CASE WHEN r.author = 'model' THEN 1 ELSE 0 END, r.added_at DESC, r.id DESC LIMIT 1"
    )
    connection.execute(sa.text(f"UPDATE captures SET reviewed = coalesce(({current}), false)"))  # noqa: S608
