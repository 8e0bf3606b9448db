"""The latest masked grades are found without walking every decision: the page Agreement reads nothing else.

Revision 0012, after 0011.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.create_index("ix_review_masked", "review", ["id"], unique=False, postgresql_where=sa.text("is_masked"))


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_review_masked", table_name="review", postgresql_where=sa.text("is_masked"))
