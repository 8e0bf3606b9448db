"""Count the workers that a scan cost apart from its soft failures.

Quarantine is for scans that kill workers. So far one column counted every attempt, so a scan that failed softly twice
and then lost one worker was set aside as if it had killed three. Rows keep their attempts and start with no loss: a
scan that is being tried just now may get up to two more tries, and no other row changes.

Revision 0007, after 0006.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.add_column("scan", sa.Column("worker_losses", sa.BigInteger(), server_default="0", nullable=False))
    op.execute("grant update (worker_losses) on scan to octaudit_dashboard")


def downgrade() -> None:
    """Undo."""
    op.drop_column("scan", "worker_losses")
