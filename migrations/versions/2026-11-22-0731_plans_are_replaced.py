"""What a planned visit expects may be replaced, as far as nothing of it arrived.

Who plans takes away an expected scan that nothing met, when the calendar is imported again under a changed protocol.
What something arrived for stays out of reach: the policy asks for first_received_at, and acquisition.expected_scan_id
holds the row besides. The previous release goes on to run: it never deletes such rows.

Revision 0031, after 0030.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0031"
down_revision: str | None = "0030"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

PLANNERS = "qc_technician,manager,admin"


def upgrade() -> None:
    """Apply."""
    op.execute(
        "create policy dashboard_delete on expected_scan for delete to octaudit_dashboard using "
        f"(site_id = any ((select scoped_sites_as('{{{PLANNERS}}}'))::bigint[]) and first_received_at is null)"
    )
    op.execute("grant delete on expected_scan to octaudit_dashboard")


def downgrade() -> None:
    """Take back."""
    op.execute("revoke delete on expected_scan from octaudit_dashboard")
    op.execute("drop policy dashboard_delete on expected_scan")
