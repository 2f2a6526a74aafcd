"""Version 1: patients, visits, captures with pictures, readings with reviews, treatments and SALT."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=False)


def _added() -> sa.Column[object]:
    return sa.Column("added_at", sa.DateTime(), nullable=False)


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.Integer(), primary_key=True)


def _of(name: str, table: str) -> sa.Column[object]:
    return sa.Column(
        name,
        sa.String() if table == "patients" else sa.Integer(),
        sa.ForeignKey(f"{table}.id"),
        nullable=False,
        index=True,
    )


def upgrade() -> None:
    op.create_table(
        "record_info",
        sa.Column("schema_version", sa.Integer(), primary_key=True),
        _text("created_by"),
        sa.Column("created_at", sa.DateTime(), nullable=False),
    )
    op.create_table(
        "patients",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("synthetic", sa.Boolean(), nullable=False),
        _text("aa_type"),
        _text("sex"),
        sa.Column("birth_year", sa.Integer()),
        _text("onset"),
        _added(),
    )
    op.create_table(
        "visits",
        _id(),
        _of("patient_id", "patients"),
        sa.Column("date", sa.Date(), nullable=False),
        _added(),
        sa.UniqueConstraint("patient_id", "date"),
    )
    op.create_table(
        "captures",
        _id(),
        _of("visit_id", "visits"),
        sa.Column("sha256", sa.String(), nullable=False, unique=True),
        *map(_text, ("file", "site", "field", "n", "preparation", "device")),
        sa.Column("um_per_px", sa.Double()),
        _text("scale_source"),
        _added(),
        sa.UniqueConstraint("visit_id", "site", "field", "n"),
    )
    op.create_table(
        "pictures",
        sa.Column("capture_id", sa.Integer(), sa.ForeignKey("captures.id"), primary_key=True),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("jpeg", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "readings",
        _id(),
        _of("capture_id", "captures"),
        *map(_text, ("author", "model_name", "model_sha256")),
        sa.Column("vellus_cutoff_um", sa.Double(), nullable=False),
        _text("reading"),
        _added(),
    )
    op.create_table("reviews", _id(), _of("reading_id", "readings"), _text("author"), _added())
    op.create_table(
        "treatments",
        _id(),
        _of("patient_id", "patients"),
        *map(_text, ("drug", "dose", "unit", "route", "start", "end", "stop_reason", "response")),
        _added(),
        sa.UniqueConstraint("patient_id", "drug", "dose", "unit", "route", "start"),
    )
    op.create_table(
        "salt",
        _id(),
        _of("patient_id", "patients"),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("total", sa.Double(), nullable=False),
        *[sa.Column(region, sa.Double()) for region in ("top", "back", "left", "right")],
        _added(),
        sa.UniqueConstraint("patient_id", "date"),
    )
