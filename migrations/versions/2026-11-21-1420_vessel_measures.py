"""Columns for the vessel measures of an assessment.

Nullable and without a default, so that no row is rewritten: assessments made before have no such measures.

Revision 0006, after 0005.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

COLUMNS = (
    "large_vessel_area_density_percent",
    "perfusion_density_percent",
    "skeleton_density_per_mm",
    "fd_300_percent",
)


def upgrade() -> None:
    """Apply."""
    for name in COLUMNS:
        op.add_column("assessment", sa.Column(name, sa.Float(), nullable=True))


def downgrade() -> None:
    """Undo."""
    for name in reversed(COLUMNS):
        op.drop_column("assessment", name)
