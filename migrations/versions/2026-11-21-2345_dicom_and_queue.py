"""Where DICOM scans came from, and what the page Queue shows: processes, their hours, and totals for /metrics.

A DICOM object's UIDs lie here sealed with a key outside the database. Uploaders, managers and administrators of the
site reach the row; nobody changes it, and it goes with the draft that it belongs to. Processes and their hours carry no
site, so managers and administrators of any study see them, and nobody else. ``queue_totals`` counts the scans of all
sites for /metrics, which has no person's session: it answers to no session or to an administrator of every study, and
names no site. The index by site and moment serves the throughput of what a person may see.

Revision 0022, after 0021.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0022"
down_revision: str | None = "0021"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

UPLOADERS = "site_technician,qc_technician"
KEEPERS = "manager,admin"
DEFINER = "security definer set search_path = public, pg_temp"


def sites(roles: str) -> str:
    """The row's site is one where the person has one of these roles."""
    return f"site_id = any ((select scoped_sites_as('{{{roles}}}'))::bigint[])"


IS_KEEPER = f"cardinality((select scoped_sites_as('{{{KEEPERS}}}'))::bigint[]) > 0 or (select is_global_admin())"
POLICIES = {
    "dicom_source": {
        "select": f"using ({sites(f'{UPLOADERS},{KEEPERS}')})",
        "insert": f"with check ({sites(UPLOADERS)})",
    },
    "worker_process": {"select": f"using ({IS_KEEPER})"},
    "worker_hour": {"select": f"using ({IS_KEEPER})"},
}
GRANTS = (
    "select, insert on dicom_source to octaudit_dashboard",
    "select on worker_process, worker_hour to octaudit_dashboard",
    "select, insert, delete on worker_process, worker_hour to octaudit_worker",
    "update (beaten_at, ended_at, facts) on worker_process to octaudit_worker",
    "update (n_scored, n_failed, n_lost, seconds) on worker_hour to octaudit_worker",
)
OPEN_TO = {"owner": tuple(POLICIES), "worker": ("worker_process", "worker_hour")}
STAYS = """
create function dicom_source_stays_in_its_site() returns trigger language plpgsql {definer} as $function$
begin
  if not exists (select from batch_file f where f.id = new.batch_file_id and f.site_id = new.site_id) then
    raise exception using errcode = 'check_violation', message = 'dicom_source.batch_file_id names a row of another site';
  end if;
  return new;
end
$function$
""".format(definer=DEFINER)
TOTALS = """
create function queue_totals() returns table (
  lane text, n_ready bigint, n_postponed bigint, n_scoring bigint, n_tried bigint, n_failed bigint,
  n_quarantined bigint, oldest_at timestamptz, n_scored_last_hour bigint
) language sql stable {definer} as $function$
  with open as (
    select s.kind,
           count(*) filter (where s.state = 'queued' and (s.not_before_at is null or s.not_before_at <= now())) ready,
           count(*) filter (where s.state = 'queued' and s.not_before_at > now()) postponed,
           count(*) filter (where s.state = 'scoring') scoring,
           count(*) filter (
             where s.state in ('queued', 'scoring') and s.attempts > (s.state = 'scoring')::int) tried,
           count(*) filter (where s.state = 'failed') failed,
           count(*) filter (where s.state = 'quarantined') quarantined,
           min(coalesce(b.submitted_at, b.created_at)) filter (where s.state in ('queued', 'scoring')) oldest
    from scan s join batch b on b.id = s.batch_id
    where s.state in ('queued', 'scoring', 'failed', 'quarantined')
    group by s.kind
  ), scored as (
    select s.kind, count(*) n from assessment a join scan s on s.id = a.scan_id
    where a.site_id in (select id from site) and a.scored_at > now() - interval '1 hour'
    group by s.kind
  )
  select coalesce(o.kind, d.kind)::text, coalesce(o.ready, 0), coalesce(o.postponed, 0), coalesce(o.scoring, 0),
         coalesce(o.tried, 0), coalesce(o.failed, 0), coalesce(o.quarantined, 0), o.oldest, coalesce(d.n, 0)
  from open o full join scored d on d.kind = o.kind
  where session_id() is null or is_global_admin()
$function$
""".format(definer=DEFINER)


def upgrade() -> None:
    """Apply."""
    make_tables()
    for table, commands in POLICIES.items():
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
        for command, clauses in commands.items():
            op.execute(f"create policy dashboard_{command} on {table} for {command} to octaudit_dashboard {clauses}")
    for role, tables in OPEN_TO.items():
        for table in tables:
            op.execute(f"create policy {role}_all on {table} to octaudit_{role} using (true) with check (true)")
    for grant in GRANTS:
        op.execute(f"grant {grant}")
    op.execute(STAYS)
    op.execute(
        "create trigger stays_in_its_site before insert or update of site_id, batch_file_id on dicom_source "
        "for each row execute function dicom_source_stays_in_its_site()"
    )
    op.execute(TOTALS)
    op.execute("revoke all on function queue_totals() from public")
    op.execute("grant execute on function queue_totals() to octaudit_dashboard")
    op.create_index("ix_assessment_site_id_scored_at", "assessment", ["site_id", "scored_at"])


def created_at() -> sa.Column[object]:
    """When the row was written."""
    return sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)


def make_tables() -> None:
    """The three tables with their indexes."""
    op.create_table(
        "dicom_source",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("batch_file_id", sa.BigInteger(), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sealed_reference", sa.String(), nullable=True),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        created_at(),
        sa.ForeignKeyConstraint(
            ["batch_file_id"], ["batch_file.id"], name=op.f("fk_dicom_source_batch_file_id_batch_file"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_dicom_source_site_id_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dicom_source")),
        sa.UniqueConstraint("batch_file_id", name=op.f("uq_dicom_source_batch_file_id")),
    )
    op.create_index(op.f("ix_dicom_source_site_id"), "dicom_source", ["site_id"])
    op.create_table(
        "worker_process",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("beaten_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        created_at(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker_process")),
        sa.UniqueConstraint("name", name=op.f("uq_worker_process_name")),
    )
    op.create_table(
        "worker_hour",
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("n_scored", sa.BigInteger(), nullable=False),
        sa.Column("n_failed", sa.BigInteger(), nullable=False),
        sa.Column("n_lost", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["process_id"], ["worker_process.id"], name=op.f("fk_worker_hour_process_id_worker_process"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("process_id", "started_at", name=op.f("pk_worker_hour")),
    )
    op.create_index(op.f("ix_worker_hour_started_at"), "worker_hour", ["started_at"])


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_assessment_site_id_scored_at", "assessment")
    op.execute("drop function queue_totals()")
    for table in ("worker_hour", "worker_process", "dicom_source"):
        op.drop_table(table)
    op.execute("drop function dicom_source_stays_in_its_site()")
