"""What Alembic runs; the store hands over its connection, in a transaction that it ends itself."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection)
with context.begin_transaction():
    context.run_migrations()
