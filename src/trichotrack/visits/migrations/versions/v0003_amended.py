"""Version 3: amendments, and captures that are to be read anew after one."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("captures", sa.Column("to_reread", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "amendments",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("patient_id", sa.String(), nullable=False, index=True),
        *[sa.Column(name, sa.String(), nullable=False) for name in ("table_name", "was", "became", "author", "reason")],
        sa.Column("added_at", sa.DateTime(), nullable=False),
    )
    op.execute(sa.text("UPDATE record_info SET schema_version = 3"))
