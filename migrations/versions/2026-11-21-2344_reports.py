"""Reports as they were made, the schedules that ask for them, their recipients and the sendings.

A site's report is its staff's and the reading centre's; a study's is of those with a role for the whole study; a
receipt, which names files, of those who see the names. The dashboard's role asks for reports and the worker's role makes
them, because a site's card compares the site with sums of the whole study; receipts and tip sheets hold nothing but what
the asker sees and are made at once. Who may get a report is a function for the worker, which cannot read grants; having a batch's
failed scans scored again is one for its site, which may not write scans otherwise.

Revision 0021, after 0020.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0021"
down_revision: str | None = "0020"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

COMPARERS = "qc_technician,adjudicator,manager,admin"
STAFF = f"site_technician,{COMPARERS}"
SEES_FILE_NAMES = "site_technician,qc_technician,manager,admin"
KEEPERS = "manager,admin"
DEFINER = "security definer set search_path = public, pg_temp"
IS_OWN = "= (select current_user_id())"


def sites(roles: str) -> str:
    """The row's site is one where the person has one of these roles."""
    return f"site_id = any ((select scoped_sites_as('{{{roles}}}'))::bigint[])"


def studies(roles: str) -> str:
    """The row's study is one where the person has one of these roles for every site."""
    return f"study_id = any ((select whole_studies_as('{{{roles}}}'))::bigint[])"


IN_SIGHT = (
    f"case kind when 'site' then {sites(STAFF)} when 'receipt' then {sites(SEES_FILE_NAMES)} "
    f"when 'study' then {studies(COMPARERS)} else study_id = any ((select scoped_studies())::bigint[]) end"
)
AT_ITS_STUDY = "(site_id is null or exists (select from site s where s.id = site_id and s.study_id = {table}.study_id))"
OF_ITS_BATCH = "(batch_id is null or exists (select from batch b where b.id = batch_id and b.site_id = report.site_id))"
KEPT = f"case kind when 'site' then {sites(KEEPERS)} else {studies(KEEPERS)} end"
OF_OWN_SCHEDULE = (
    "exists (select from report_schedule s where s.id = schedule_id and s.study_id = report_recipient.study_id "
    f"and s.created_by_id {IS_OWN} and s.ended_at is null)"
)
IN_STUDY = "study_id = any ((select scoped_studies())::bigint[])"
POLICIES = {
    "report": {
        "select": f"using ({IN_SIGHT})",
        "insert": (
            f"with check (asked_by_id {IS_OWN} and schedule_id is null and ({IN_SIGHT}) "
            f"and {AT_ITS_STUDY.format(table='report')} and {OF_ITS_BATCH} "
            "and state = case when kind in ('site', 'study') then 'asked' else 'made' end)"
        ),
    },
    "report_schedule": {
        "select": f"using (case kind when 'site' then {sites(COMPARERS)} else {studies(COMPARERS)} end)",
        "insert": (
            f"with check (created_by_id {IS_OWN} and ended_at is null and paused_at is null and ({KEPT}) "
            f"and {AT_ITS_STUDY.format(table='report_schedule')})"
        ),
        "update": f"using (ended_at is null and ({KEPT})) with check ({KEPT})",
    },
    "report_recipient": {
        "select": f"using ({IN_STUDY} and exists (select from report_schedule s where s.id = schedule_id))",
        "insert": f"with check ({IN_STUDY} and {OF_OWN_SCHEDULE})",
    },
    "report_sending": {
        "select": (
            f"using ({IN_STUDY} and exists (select from report r join report_schedule s on s.id = r.schedule_id "
            "where r.id = report_id))"
        ),
    },
}
MADE = "state, attempts, due_at, error, made_at, versions, n_pages, content_sha256, pdf_sha256"
GRANTS = (
    "select, insert on report, report_schedule, report_recipient to octaudit_dashboard",
    "update (paused_at, ended_at, next_at) on report_schedule to octaudit_dashboard",
    "select on report_sending to octaudit_dashboard",
    "select on report, report_schedule, report_recipient, report_sending to octaudit_worker",
    f"insert, update ({MADE}) on report to octaudit_worker",
    "update (next_at) on report_schedule to octaudit_worker",
    "insert, update (state, attempts, due_at, sent_at, error) on report_sending to octaudit_worker",
    "select on signed_baseline to octaudit_worker",  # what the trends of a study report are held against
)
# Whose grants reach a report: {granted} is a row of site_grant, the names after it are the function's arguments.
REACHES = f"""
  g.revoked_at is null and (g.expires_at is null or g.expires_at > statement_timestamp())
  and (g.study_id is null or g.study_id = at_study)
  and case report_kind when 'site' then (g.site_id is null or g.site_id = at_site)
        and g.role = any ('{{{STAFF}}}'::text[])
      else g.site_id is null and g.role = any ('{{{COMPARERS}}}'::text[]) end
"""
FUNCTIONS = {
    "may_get_report(account bigint, report_kind text, at_study bigint, at_site bigint)": (
        "octaudit_worker",
        f"returns boolean language sql stable {DEFINER}",
        f"""
        select exists (select from site_grant g join app_user u on u.id = g.user_id
                       where u.id = account and u.disabled_at is null and {REACHES})
        """,
    ),
    # A site may have its own failed scans scored again; quarantined ones, which cost workers, are an operator's.
    "retry_failed_scans(of_batch bigint)": (
        "octaudit_dashboard",
        f"returns table (id bigint, kind text, failure text) language sql volatile {DEFINER}",
        """
        with failed as (
          select s.id, s.failure from scan s
          where s.batch_id = of_batch and s.state = 'failed'
            and s.site_id = any (scoped_sites_as('{site_technician,qc_technician,manager,admin}'))
          for update)
        update scan set state = 'queued', attempts = 0, worker_losses = 0, not_before_at = null, failure = null,
          version = scan.version + 1
        from failed where scan.id = failed.id
        returning scan.id, scan.kind::text, failed.failure::text
        """,
    ),
    # Grants and addresses are closed to the dashboard's role; who makes a schedule must know who could get it.
    "people_for_report(report_kind text, at_study bigint, at_site bigint)": (
        "octaudit_dashboard",
        f"returns table (id bigint, display_name text, has_address boolean) language sql stable {DEFINER}",
        f"""
        select u.id, u.display_name, u.email is not null from app_user u
        where u.disabled_at is null
          and case report_kind when 'site' then at_site = any (scoped_sites_as('{{{KEEPERS}}}'))
                and exists (select from site s where s.id = at_site and s.study_id = at_study)
              else at_study = any (whole_studies_as('{{{KEEPERS}}}')) end
          and exists (select from site_grant g where g.user_id = u.id and {REACHES})
        order by u.display_name, u.id
        """,
    ),
}


def signature(declaration: str) -> str:
    """``f(bigint, text)`` of ``f(a bigint, b text)``."""
    name, _, arguments = declaration.rstrip(")").partition("(")
    return f"{name}({', '.join(argument.split()[-1] for argument in arguments.split(', ') if argument)})"


def upgrade() -> None:
    """Apply."""
    # A batch's files come page by page in the order in which they arrived.
    op.create_index("ix_batch_file_batch_id_id", "batch_file", ["batch_id", "id"], unique=False)
    make_schedules()
    make_reports()
    make_recipients_and_sendings()
    for table, commands in POLICIES.items():
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
        for command, clauses in commands.items():
            op.execute(f"create policy dashboard_{command} on {table} for {command} to octaudit_dashboard {clauses}")
        for role in ("owner", "worker"):
            op.execute(f"create policy {role}_all on {table} to octaudit_{role} using (true) with check (true)")
    for grant in GRANTS:
        op.execute(f"grant {grant}")
    for declaration, (role, returns, body) in FUNCTIONS.items():
        op.execute(f"create function {declaration} {returns} as $function${body}$function$")
        op.execute(f"revoke all on function {signature(declaration)} from public")
        op.execute(f"grant execute on function {signature(declaration)} to {role}")


MOMENT = sa.DateTime(timezone=True)
NOW = sa.text("now()")


def own_id() -> sa.Column[object]:
    """The identity column."""
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False)


def created() -> sa.Column[object]:
    """When the row was written."""
    return sa.Column("created_at", MOMENT, server_default=NOW, nullable=False)


def key(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    """A foreign key named by convention."""
    return sa.ForeignKeyConstraint([column], [target], name=op.f(f"fk_{table}_{column}_{target.partition('.')[0]}"))


def check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    """A check named by convention."""
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def make_schedules() -> None:
    """What asks for reports."""
    table = "report_schedule"
    op.create_table(
        table,
        own_id(),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("study_id", sa.BigInteger(), nullable=False),
        sa.Column("site_id", sa.BigInteger(), nullable=True),
        sa.Column("every", sa.String(), nullable=False),
        sa.Column("on_day", sa.BigInteger(), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("n_weeks", sa.BigInteger(), nullable=False),
        sa.Column("next_at", MOMENT, nullable=False),
        sa.Column("created_by_id", sa.BigInteger(), nullable=False),
        sa.Column("paused_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        created(),
        check(table, "kind", "kind in ('site', 'study')"),
        check(table, "site", "(kind = 'site') = (site_id is not null)"),
        check(table, "every", "every in ('week', 'month')"),
        check(table, "on_day", "on_day between 1 and case every when 'week' then 7 else 28 end"),
        check(table, "hour", "hour between 0 and 23"),
        check(table, "n_weeks", "n_weeks between 1 and 520"),
        key(table, "study_id", "study.id"),
        key(table, "site_id", "site.id"),
        key(table, "created_by_id", "app_user.id"),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    )
    op.create_index("ix_report_schedule_study_id", table, ["study_id"], unique=False)
    op.create_index(
        "ix_report_schedule_next_at", table, ["next_at"], unique=False,
        postgresql_where=sa.text("paused_at is null and ended_at is null"),
    )


def make_reports() -> None:
    """What was asked for and made."""
    table = "report"
    op.create_table(
        table,
        own_id(),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("study_id", sa.BigInteger(), nullable=False),
        sa.Column("site_id", sa.BigInteger(), nullable=True),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.Column("reason_code", sa.String(), nullable=True),
        sa.Column("since", sa.Date(), nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("asked_by_id", sa.BigInteger(), nullable=True),
        sa.Column("schedule_id", sa.BigInteger(), nullable=True),
        sa.Column("occurrence_at", MOMENT, nullable=True),
        sa.Column("state", sa.String(), server_default="asked", nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("due_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("made_at", MOMENT, nullable=True),
        sa.Column("versions", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("n_pages", sa.BigInteger(), nullable=True),
        sa.Column("content_sha256", sa.String(length=64), nullable=True),
        sa.Column("pdf_sha256", sa.String(length=64), nullable=True),
        created(),
        check(table, "kind", "kind in ('site', 'study', 'receipt', 'tips')"),
        check(table, "state", "state in ('asked', 'made', 'failed')"),
        check(table, "site", "(kind in ('site', 'receipt')) = (site_id is not null)"),
        check(table, "batch", "(kind = 'receipt') = (batch_id is not null)"),
        check(table, "reason", "(kind = 'tips') = (reason_code is not null)"),
        check(table, "period", "(kind in ('site', 'study')) = (since is not null and until is not null)"),
        check(
            table, "made",
            "(state = 'made') = (pdf_sha256 is not null and content_sha256 is not null and made_at is not null)",
        ),
        check(table, "occurrence", "(schedule_id is null) = (occurrence_at is null)"),
        key(table, "study_id", "study.id"),
        key(table, "site_id", "site.id"),
        key(table, "batch_id", "batch.id"),
        key(table, "asked_by_id", "app_user.id"),
        key(table, "schedule_id", "report_schedule.id"),
        key(table, "pdf_sha256", "blob.sha256"),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint("schedule_id", "occurrence_at", name=op.f("uq_report_schedule_id_occurrence_at")),
    )
    op.create_index("ix_report_study_id", table, ["study_id", "id"], unique=False)
    op.create_index("ix_report_site_id", table, ["site_id", "id"], unique=False)
    op.create_index(
        "ix_report_asked", table, ["due_at"], unique=False, postgresql_where=sa.text("state = 'asked'")
    )
    op.create_index("ix_report_content_sha256", table, ["content_sha256"], unique=False)


def make_recipients_and_sendings() -> None:
    """To whom reports go, and whether they went."""
    op.create_table(
        "report_recipient",
        sa.Column("schedule_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("study_id", sa.BigInteger(), nullable=False),
        key("report_recipient", "schedule_id", "report_schedule.id"),
        key("report_recipient", "user_id", "app_user.id"),
        key("report_recipient", "study_id", "study.id"),
        sa.PrimaryKeyConstraint("schedule_id", "user_id", name=op.f("pk_report_recipient")),
    )
    table = "report_sending"
    op.create_table(
        table,
        own_id(),
        sa.Column("report_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("study_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), server_default="waiting", nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("sent_at", MOMENT, nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        created(),
        check(table, "state", "state in ('waiting', 'sent', 'failed', 'withdrawn')"),
        key(table, "report_id", "report.id"),
        key(table, "user_id", "app_user.id"),
        key(table, "study_id", "study.id"),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint("report_id", "user_id", name=op.f("uq_report_sending_report_id_user_id")),
    )
    op.create_index(
        "ix_report_sending_due_at", table, ["due_at"], unique=False, postgresql_where=sa.text("state = 'waiting'")
    )


def downgrade() -> None:
    """Undo."""
    for declaration in reversed(FUNCTIONS):
        op.execute(f"drop function {signature(declaration)}")
    op.drop_index("ix_batch_file_batch_id_id", table_name="batch_file")
    op.execute("revoke select on signed_baseline from octaudit_worker")
    for table in ("report_sending", "report_recipient", "report", "report_schedule"):
        op.drop_table(table)
