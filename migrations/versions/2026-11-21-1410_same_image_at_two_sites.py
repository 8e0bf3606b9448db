"""An index that finds images sent by more than one site without reading the scans themselves.

It takes the place of the one over the image alone, which it serves as well. Built while the table is closed for
writing: a second or two per million scans.

Revision 0005, after 0004.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.create_index("ix_scan_image_sha256_site_id", "scan", ["image_sha256", "site_id", "id"], unique=False)
    op.drop_index("ix_scan_image_sha256", table_name="scan")


def downgrade() -> None:
    """Undo."""
    op.create_index("ix_scan_image_sha256", "scan", ["image_sha256"], unique=False)
    op.drop_index("ix_scan_image_sha256_site_id", table_name="scan")
