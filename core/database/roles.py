"""The four database roles and what each is for. Knows no connection."""

from enum import StrEnum


class DatabaseRole(StrEnum):
    """Whose rights a connection has. The value is the PostgreSQL user's name, which policies and grants name."""

    OWNER = "octaudit_owner"
    """Owns the tables. Migrations, and the operator's own commands (`user add`, `ingest`, `demo`) on the server."""
    DASHBOARD = "octaudit_dashboard"
    """Sees and writes only what the session token's user may (row-level security)."""
    WORKER = "octaudit_worker"
    """Sees every site; writes scores and counts only."""
    SEALER = "octaudit_sealer"
    """Reads audit events and appends seals; nothing else."""


ROLE_NAMES = tuple(role.value for role in DatabaseRole)
