"""Counts by software version and by what was found, and of whole patient visits.

``rate`` and ``rate_delta`` get ``software_version`` and ``detail`` (which finding, which composition of a visit);
``acquisition.counted_findings`` holds what the counts know of a capture. Existing counts stay right for what they
count; run ``octaudit rates rebuild`` once to fill in the new ones.

Revision 0008, after 0007.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

OLD_KEY = ["site_id", "device_id", "technician_id", "scan_type", "week_on", "measure"]
NEW_KEY = [
    "site_id", "device_id", "technician_id", "software_version", "scan_type", "week_on", "measure", "detail",
]  # fmt: skip


def upgrade() -> None:
    """Apply."""
    for table in ("rate", "rate_delta"):
        for column in ("software_version", "detail"):
            op.add_column(table, sa.Column(column, sa.String(), server_default="", nullable=False))
    op.drop_index("uq_rate_key", table_name="rate")
    op.create_index("uq_rate_key", "rate", NEW_KEY, unique=True, postgresql_nulls_not_distinct=True)
    op.create_index("ix_rate_site_id_measure_week_on", "rate", ["site_id", "measure", "week_on"], unique=False)
    op.add_column(
        "acquisition",
        sa.Column("counted_findings", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
    )
    op.execute("grant update (counted_findings) on acquisition to octaudit_dashboard, octaudit_worker")


def downgrade() -> None:
    """Undo. Counts that the older release does not know are dropped; it rebuilds the others by itself if asked."""
    op.execute("revoke update (counted_findings) on acquisition from octaudit_dashboard, octaudit_worker")
    op.drop_column("acquisition", "counted_findings")
    op.execute("delete from rate_delta where detail <> '' or scan_type = ''")
    op.execute("delete from rate where detail <> '' or scan_type = ''")
    op.drop_index("ix_rate_site_id_measure_week_on", table_name="rate")
    op.drop_index("uq_rate_key", table_name="rate")
    # One row per key of the older release: counts of several software versions become deltas to be folded again.
    op.execute(
        f"insert into rate_delta ({', '.join(OLD_KEY)}, n, software_version, detail) "  # noqa: S608 - fixed names
        f"select {', '.join(OLD_KEY)}, n, '', '' from rate"
    )
    op.execute("delete from rate")
    for table in ("rate_delta", "rate"):
        op.drop_column(table, "detail")
        op.drop_column(table, "software_version")
    op.create_index("uq_rate_key", "rate", OLD_KEY, unique=True, postgresql_nulls_not_distinct=True)
