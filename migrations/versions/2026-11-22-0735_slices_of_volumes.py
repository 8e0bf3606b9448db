"""Single B-scans of volumes are asked for, and who grades a volume masked leafs through it.

- ``wanted_mask.bscan_index`` says which B-scan of a volume gets a mask. NULL is the image of the scan itself: of every
  scan that is no volume, and the middle B-scan of a volume that was asked for before. A round may ask for several
  B-scans of one volume, so that its rows are told apart by their rank.
- ``scan_to_grade`` also names the blob of the volume. Nothing that was concluded from it comes along.

The previous release goes on to run: what it writes has no B-scan, and it passes over what it does not know.

Revision 0035, after 0032.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0035"
down_revision: str | None = "0032"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

TABLE, COLUMN, ONCE = "wanted_mask", "bscan_index", "uq_wanted_mask_round_id_scan_id_bscan_index"
SQL = "language sql stable security definer set search_path = public, pg_temp"
GRADERS = "{grader,qc_technician,adjudicator}"


def to_grade(column: str = "", value: str = "") -> str:
    """The function that gives a grader the scan and nothing else; with ``column`` it gives one thing more."""
    return f"""
    create function scan_to_grade(asked bigint)
    returns table (scan_id bigint, site_id bigint, study_id bigint, kind text, slab text, image_sha256 text,
                   width_px bigint, height_px bigint, uploaded_by_id bigint, acquired_by_id bigint{column}) {SQL} as
    $function$
      select s.id, s.site_id, i.study_id, s.kind, s.slab, s.image_sha256, s.width_px, s.height_px,
             b.uploaded_by_id, t.user_id{value}
      from scan s
      join site i on i.id = s.site_id
      join batch b on b.id = s.batch_id
      join acquisition a on a.id = s.acquisition_id
      left join technician t on t.id = a.technician_id
      where s.id = asked
        and (is_operator() or s.site_id = any (scoped_sites_as('{GRADERS}')))
    $function$
    """  # noqa: S608 - nothing but constants of this module


def replace_to_grade(definition: str) -> None:
    """Drop the function, whose columns cannot be changed, and make it anew with its grants."""
    op.execute("drop function scan_to_grade(bigint)")
    op.execute(definition)
    op.execute("revoke all on function scan_to_grade(bigint) from public")
    op.execute("grant execute on function scan_to_grade(bigint) to octaudit_dashboard")


def upgrade() -> None:
    """Apply."""
    op.add_column(TABLE, sa.Column(COLUMN, sa.BigInteger(), nullable=True))
    op.create_check_constraint(op.f("ck_wanted_mask_bscan_index"), TABLE, f"{COLUMN} >= 0")
    op.drop_constraint("pk_wanted_mask", TABLE)
    op.create_primary_key("pk_wanted_mask", TABLE, ["round_id", "rank"])
    op.create_unique_constraint(ONCE, TABLE, ["round_id", "scan_id", COLUMN], postgresql_nulls_not_distinct=True)
    replace_to_grade(to_grade(", volume_sha256 text", ", s.volume_sha256"))


def downgrade() -> None:
    """Undo; of the B-scans of a volume that a round asked for, the most wanted one alone is left."""
    replace_to_grade(to_grade())
    op.execute(
        "delete from wanted_mask w using wanted_mask o "
        "where o.round_id = w.round_id and o.scan_id = w.scan_id and w.rank > o.rank"
    )
    op.drop_constraint(ONCE, TABLE)
    op.drop_constraint("pk_wanted_mask", TABLE)
    op.create_primary_key("pk_wanted_mask", TABLE, ["round_id", "scan_id"])
    op.drop_constraint(op.f("ck_wanted_mask_bscan_index"), TABLE)
    op.drop_column(TABLE, COLUMN)
