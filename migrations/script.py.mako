"""${message}.

One idea. It must work while the previous release still runs: add first, remove a release later. A column that is
renamed is a column added, filled, and only later dropped. New table with a site: row-level security enabled and
forced, policies and grants go here too (tests/core/database/test_catalogue.py holds the expected list).

Revision ${up_revision}, after ${down_revision | comma,n}.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision: str = ${repr(up_revision)}
down_revision: str | None = ${repr(down_revision)}
branch_labels: Sequence[str] | None = ${repr(branch_labels)}
depends_on: Sequence[str] | None = ${repr(depends_on)}


def upgrade() -> None:
    """Apply."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Undo."""
    ${downgrades if downgrades else "pass"}
