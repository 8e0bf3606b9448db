"""Sites, devices and technicians can be deactivated: they stay with all that they did, and take no new scans.

A new batch at a deactivated site is refused here as well as in the program; that a row may not name a deactivated
device or technician is the check of the batch.

Revision 0010, after 0009.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

TABLES = ("site", "device", "technician")
MAY_UPLOAD = (
    "site_id = any ((select scoped_sites_as('{site_technician,qc_technician}'))::bigint[]) "
    "and uploaded_by_id = (select current_user_id())"
)
IS_ACTIVE = "exists (select from site s where s.id = site_id and s.deactivated_at is null)"


def upgrade() -> None:
    """Apply."""
    for table in TABLES:
        op.add_column(table, sa.Column("deactivated_at", sa.DateTime(timezone=True), nullable=True))
        op.execute(f"grant update (deactivated_at) on {table} to octaudit_dashboard")
    op.execute(f"alter policy dashboard_insert on batch with check ({MAY_UPLOAD} and {IS_ACTIVE})")


def downgrade() -> None:
    """Undo."""
    op.execute(f"alter policy dashboard_insert on batch with check ({MAY_UPLOAD})")
    for table in reversed(TABLES):
        op.drop_column(table, "deactivated_at")
