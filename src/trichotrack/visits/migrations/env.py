"""What Alembic runs: the steps, on the connection it is given, inside the transaction that is open there."""

from alembic import context

from trichotrack.visits.schema import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
