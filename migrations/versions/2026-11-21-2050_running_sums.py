"""Running sums of the counts for the manager's pages, images that two sites sent, and indexes that cover the probes.

``rate_term``, ``rate_cell``, ``rate_sum`` and ``rate_series`` are made from the counts by the keeper in the transaction
that folds them. Counts that are folded already become deltas again, so that pages are exact at once and the keeper
folds them anew, 100,000 in each of its rounds. Keeper and pages must be of one release: an older keeper would fold
without the sums.

``shared_image`` holds the hashes of which two sites sent a scan; a trigger fills it. Its policy shows a hash to whom
row-level security shows two of its sites, so it tells nobody more than the scans do.

Revision 0015, after 0014.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

KEY = "site_id, device_id, technician_id, software_version, scan_type, week_on, measure, detail"
BY_SITE = ("rate_cell", "rate_sum", "rate_series")
GRANTS = (
    "select on rate_term, rate_cell, rate_sum, rate_series, shared_image to octaudit_dashboard",
    "select, insert, delete on rate_term, rate_cell to octaudit_worker",
    "select, insert, update, delete on rate_sum, rate_series to octaudit_worker",
    "select, insert on shared_image to octaudit_worker",
)
# Two transactions that send the same image at the very same moment do not see each other; a third scan of it does.
NOTE_SHARED = """
create function note_shared_images() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $function$
begin
  insert into shared_image (image_sha256)
  select distinct sent.image_sha256 from sent
  where exists (select from scan s where s.image_sha256 = sent.image_sha256 and s.site_id <> sent.site_id)
  on conflict do nothing;
  return null;
end
$function$
"""
OPEN = "state not in ('accepted', 'superseded', 'closed_not_possible')"
"""Of all states only the open ones are asked for by site; the others grow without end."""
REDUNDANT = (
    ("acquisition", "ix_acquisition_technician_id"),
    ("acquisition", "ix_acquisition_site_id"),
    ("scan", "ix_scan_site_id"),
    ("review", "ix_review_site_id"),
)
"""Others begin with the same column. The planner took these, and sorted or combined what the others have in order."""
PROBES = {
    "ix_acquisition_site_id_acquired_at": ("site_id", ["subject_id", "is_phantom"]),
    "ix_acquisition_device_id_acquired_at": ("device_id", ["site_id", "subject_id", "is_phantom"]),
    "ix_acquisition_technician_id_acquired_at": ("technician_id", ["site_id", "subject_id", "is_phantom"]),
}
"""Index of the acquisitions -> what it begins with, and what it covers so that a probe reads no row."""


def upgrade() -> None:
    """Apply."""
    make_tables()
    for table in (*BY_SITE, "shared_image"):
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
        for role in ("owner", "worker"):
            op.execute(f"create policy {role}_all on {table} to octaudit_{role} using (true) with check (true)")
    for table in BY_SITE:
        op.execute(
            f"create policy dashboard_select on {table} for select to octaudit_dashboard "
            "using (site_id = any ((select scoped_sites())::bigint[]))"
        )
    op.execute(
        "create policy dashboard_select on shared_image for select to octaudit_dashboard using "
        "((select count(distinct s.site_id) from scan s where s.image_sha256 = shared_image.image_sha256 "
        "and s.site_id = any ((select scoped_sites())::bigint[])) > 1)"
    )
    for grant in GRANTS:
        op.execute(f"grant {grant}")
    op.execute("alter table rate_series alter visits set storage external, alter tallies set storage external")
    op.execute(NOTE_SHARED)
    op.execute("revoke all on function note_shared_images() from public")
    op.execute(
        "create trigger note_shared_images after insert on scan referencing new table as sent "
        "for each statement execute function note_shared_images()"
    )
    op.execute(
        "insert into shared_image (image_sha256) select image_sha256 from scan "
        "group by image_sha256 having min(site_id) < max(site_id)"
    )
    for table, name in REDUNDANT:
        op.drop_index(name, table_name=table)
    for name, (column, covered) in PROBES.items():
        op.execute(f"drop index if exists {name}")
        op.create_index(name, "acquisition", [column, "acquired_at"], unique=False, postgresql_include=covered)
    op.create_index("ix_review_site_id_id", "review", ["site_id", "id"], unique=False)
    op.drop_index("ix_scan_site_id_state", table_name="scan")
    op.create_index("ix_scan_open", "scan", ["site_id", "state"], unique=False, postgresql_where=sa.text(OPEN))
    op.create_index("ix_rate_technician_id_measure", "rate", ["technician_id", "measure"], unique=False)
    op.create_index("ix_rate_device_id_measure", "rate", ["device_id", "measure"], unique=False)
    # In this order a round of the keeper meets few sites, and writes the sums of each once.
    op.execute(f"insert into rate_delta ({KEY}, n) select {KEY}, n from rate order by site_id")  # noqa: S608 - fixed names
    op.execute("delete from rate")


def make_tables() -> None:
    """The five tables with their indexes."""
    site = "site_id"
    op.create_table(
        "rate_term",
        sa.Column("place", sa.BigInteger(), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("scan_type", "measure", "detail")),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_rate_term")),
        sa.UniqueConstraint(
            "scan_type", "measure", "detail", name=op.f("uq_rate_term_scan_type_measure_detail")
        ),
    )
    op.create_table(
        "rate_cell",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("grain", sa.String(), nullable=False),
        sa.Column(site, sa.BigInteger(), nullable=False),
        sa.Column("device_id", sa.BigInteger(), nullable=True),
        sa.Column("technician_id", sa.BigInteger(), nullable=True),
        sa.Column("software_version", sa.String(), nullable=True),
        sa.ForeignKeyConstraint([site], ["site.id"], name=op.f("fk_rate_cell_site_id_site")),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name=op.f("fk_rate_cell_device_id_device")),
        sa.ForeignKeyConstraint(
            ["technician_id"], ["technician.id"], name=op.f("fk_rate_cell_technician_id_technician")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rate_cell")),
    )
    op.create_index(
        "uq_rate_cell_key",
        "rate_cell",
        ["grain", site, "device_id", "technician_id", "software_version"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "rate_sum",
        sa.Column("cell_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("week_on", sa.Date(), nullable=False),
        sa.Column(site, sa.BigInteger(), nullable=False),
        sa.Column("totals", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["cell_id"], ["rate_cell.id"], name=op.f("fk_rate_sum_cell_id_rate_cell")),
        sa.ForeignKeyConstraint([site], ["site.id"], name=op.f("fk_rate_sum_site_id_site")),
        sa.PrimaryKeyConstraint("cell_id", "week_on", name=op.f("pk_rate_sum")),
    )
    op.create_table(
        "rate_series",
        sa.Column("cell_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("scan_type", sa.String(), nullable=False),
        sa.Column(site, sa.BigInteger(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("visits", sa.LargeBinary(), nullable=False),
        sa.Column("tallies", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["cell_id"], ["rate_cell.id"], name=op.f("fk_rate_series_cell_id_rate_cell")),
        sa.ForeignKeyConstraint([site], ["site.id"], name=op.f("fk_rate_series_site_id_site")),
        sa.PrimaryKeyConstraint("cell_id", "scan_type", name=op.f("pk_rate_series")),
    )
    op.create_table(
        "shared_image",
        sa.Column("image_sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["image_sha256"], ["blob.sha256"], name=op.f("fk_shared_image_image_sha256_blob")),
        sa.PrimaryKeyConstraint("image_sha256", name=op.f("pk_shared_image")),
    )


def downgrade() -> None:
    """Undo; the counts themselves stay as they are."""
    op.execute("drop trigger note_shared_images on scan")
    op.execute("drop function note_shared_images()")
    for table in ("shared_image", "rate_series", "rate_sum", "rate_cell", "rate_term"):
        op.drop_table(table)
    op.drop_index("ix_review_site_id_id", table_name="review")
    op.drop_index("ix_scan_open", table_name="scan")
    op.create_index("ix_scan_site_id_state", "scan", ["site_id", "state"], unique=False)
    op.drop_index("ix_rate_device_id_measure", table_name="rate")
    op.drop_index("ix_rate_technician_id_measure", table_name="rate")
    for name in PROBES:
        op.drop_index(name, table_name="acquisition")
    for table, name in REDUNDANT:
        op.create_index(name, table, [name.removeprefix(f"ix_{table}_")], unique=False)
    for column in ("site_id", "device_id"):
        op.create_index(f"ix_acquisition_{column}_acquired_at", "acquisition", [column, "acquired_at"], unique=False)
