"""What the manager's pages still lacked: deviations from the protocol in the counts, and FAZ outlines by hand.

- acquisition.deviations says in what a capture is not as the protocol said, judged once when it is received. Captures
  from before the upgrade have none: what held then is not known any more.
- faz_outline is a person's outline of the FAZ of one scan, with the metrics measured from it as from the model's. Rows
  are added, never changed; of a reader's outlines of one scan the newest counts.

Revision 0030, after 0029.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0030"
down_revision: str | None = "0029"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

READERS, KEEPERS = "qc_technician,adjudicator,manager,admin", "adjudicator,manager,admin"
DEFINER = "security definer set search_path = public, pg_temp"
POLICIES = {
    "select": f"using (site_id = any ((select scoped_sites_as('{{{READERS}}}'))::bigint[]))",
    "insert": f"with check (site_id = any ((select scoped_sites_as('{{{KEEPERS}}}'))::bigint[]) "
    "and imported_by_id = (select current_user_id()))",
}
STAYS = f"""
create function faz_outline_stays_in_its_site() returns trigger language plpgsql {DEFINER} as $function$
begin
  if not exists (select from scan s where s.id = new.scan_id and s.site_id = new.site_id) then
    raise exception using errcode = 'check_violation', message = 'faz_outline.scan_id names a row of another site';
  end if;
  return new;
end
$function$
"""


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "acquisition",
        sa.Column(
            "deviations", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
    )
    make_outlines()
    op.execute("alter table faz_outline enable row level security")
    op.execute("alter table faz_outline force row level security")
    for command, clauses in POLICIES.items():
        op.execute(f"create policy dashboard_{command} on faz_outline for {command} to octaudit_dashboard {clauses}")
    for role in ("owner", "worker"):
        op.execute(f"create policy {role}_all on faz_outline to octaudit_{role} using (true) with check (true)")
    op.execute("grant select, insert on faz_outline to octaudit_dashboard")
    op.execute("grant select on faz_outline to octaudit_worker")
    op.execute(STAYS)
    op.execute("revoke all on function faz_outline_stays_in_its_site() from public")
    op.execute(
        "create trigger stays_in_its_site before insert or update of site_id, scan_id on faz_outline "
        "for each row execute function faz_outline_stays_in_its_site()"
    )
    op.execute(
        "create trigger stays_as_written before update or delete or truncate on faz_outline "
        "for each statement execute function stays_as_written()"
    )


def make_outlines() -> None:
    """The table of outlines by hand."""
    table = "faz_outline"
    op.create_table(
        table,
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("scan_id", sa.BigInteger(), nullable=False),
        sa.Column("reader", sa.String(), nullable=False),
        sa.Column("mask_sha256", sa.String(64), nullable=False),
        sa.Column("metrics", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("is_touching_border", sa.Boolean(), nullable=False),
        sa.Column("imported_by_id", sa.BigInteger(), nullable=False),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("reader <> ''", name=op.f("ck_faz_outline_reader")),
        *(
            sa.ForeignKeyConstraint([column], [f"{parent}.{key}"], name=op.f(f"fk_faz_outline_{column}_{parent}"))
            for column, parent, key in (
                ("scan_id", "scan", "id"),
                ("mask_sha256", "blob", "sha256"),
                ("imported_by_id", "app_user", "id"),
                ("site_id", "site", "id"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_faz_outline")),
    )
    op.create_index("ix_faz_outline_scan_id_reader_id", table, ["scan_id", "reader", "id"])
    for column in ("mask_sha256", "site_id"):
        op.create_index(op.f(f"ix_faz_outline_{column}"), table, [column], unique=False)


def downgrade() -> None:
    """Take back; the outlines' pictures stay in the blob store until they are pruned."""
    op.drop_table("faz_outline")
    op.execute("drop function faz_outline_stays_in_its_site()")
    op.drop_column("acquisition", "deviations")
