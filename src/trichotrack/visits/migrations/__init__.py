"""Steps from one version of the record's tables to the next (Alembic): each is run once, inside one transaction."""
