"""Indexes that answer by themselves what pages ask of the latest captures, scans and reviews at a million scans.

Since graders are masked (0009), the policy of acquisition also asks for its id: the indexes of 0015 did not hold it,
so that each probe read a row again. Locks the tables while the indexes are made: seconds at a million scans.

Revision 0029, after 0028.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0029"
down_revision: str | None = "0028"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


PROBES = {
    "site_id": (["subject_id", "is_phantom"], ["id", "subject_id", "is_phantom"]),
    "device_id": (
        ["site_id", "subject_id", "is_phantom"],
        ["id", "site_id", "subject_id", "is_phantom", "scan_type", "software_version"],
    ),
    "technician_id": (["site_id", "subject_id", "is_phantom"], ["id", "site_id", "subject_id", "is_phantom"]),
}
"""What the index of the acquisitions by time begins with -> what it covered, and what it covers."""
CASE = ["id", "visit_id", "device_id", "technician_id", "software_version", "scan_type", "age_years", "diagnosis",
        "is_counted_gradable"]  # fmt: skip
IS_CASE = "is_counted_decided and replaces_id is null and is_phantom is false"


def upgrade() -> None:
    """Apply."""
    for column, (_, covered) in PROBES.items():
        make_probe(column, covered)
    op.create_index(
        "ix_acquisition_case", "acquisition", ["site_id", "acquired_at"], postgresql_include=CASE,
        postgresql_where=sa.text(IS_CASE),
    )  # fmt: skip
    op.create_index(
        "ix_assessment_site_id_scan_id", "assessment", ["site_id", "scan_id"], postgresql_include=["id", "scored_at"]
    )
    op.create_index("ix_review_site_id_scan_id", "review", ["site_id", "scan_id"])


def make_probe(column: str, covered: Sequence[str]) -> None:
    """Replace an index by time."""
    name = f"ix_acquisition_{column}_acquired_at"
    op.drop_index(name, "acquisition")
    op.create_index(name, "acquisition", [column, "acquired_at"], postgresql_include=list(covered))


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_review_site_id_scan_id", "review")
    op.drop_index("ix_assessment_site_id_scan_id", "assessment")
    op.drop_index("ix_acquisition_case", "acquisition")
    for column, (covered, _) in PROBES.items():
        make_probe(column, covered)
