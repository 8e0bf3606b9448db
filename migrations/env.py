"""How Alembic reaches the database: as the owner role, one process at a time, giving up on a lock it cannot get.

Started by core.database.migrate, or by hand (`alembic revision --autogenerate -m "..."`, see pyproject.toml).
"""

from alembic import context
from sqlalchemy import Connection, Engine, text
from sqlalchemy.dialects.postgresql.base import ischema_names

from core.database.roles import DatabaseRole
from core.database.session import open_database
from core.database.tables import Base
from core.database.tables.audit import TransactionId
from core.settings import load_settings

MIGRATION_LOCK = 0x0C7A_0D17_0002
LOCK_TIMEOUT = "5s"

ischema_names["xid8"] = TransactionId  # SQLAlchemy's reflection does not know the type and would warn


def migrate(connection: Connection) -> None:
    """Run the migrations in one transaction, under a lock that a second process waits for."""
    context.configure(connection=connection, target_metadata=Base.metadata, transactional_ddl=True)
    with context.begin_transaction():
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        # After the advisory lock, which may be waited for: a migration must never queue behind a long reader.
        connection.execute(text(f"set local lock_timeout = '{LOCK_TIMEOUT}'"))
        context.run_migrations()


def main() -> None:
    """Migrate with the engine that core.database.migrate gives, else with the one of the environment's settings."""
    engine: Engine | None = context.config.attributes.get("engine")
    if engine is not None:
        with engine.connect() as connection:
            migrate(connection)
        return
    with open_database(load_settings(), DatabaseRole.OWNER) as database, database.engine.connect() as connection:
        migrate(connection)


main()
