"""Certificates of technicians and devices, re-evaluations by another protocol version, and who published a version.

A certificate is one row per asking; expiry follows from its last day and suspension from an open suspension among the
actions, which may now be a technician's too. Certificates of a technician are seen by the reading centre and by that
person. A re-evaluation is ordered by an administrator and carried out with the worker's rights; what it did to each
scan is a row that nobody changes. What a visit still owes is found by an index of its own. Revision 0020, after 0019.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

COMPARERS = "qc_technician,adjudicator,manager,admin"
KEEPERS = "manager,admin"
DEFINER = "security definer set search_path = public, pg_temp"
ALERT_KINDS = "kind in ('unit', 'overdue', 'retraining', 'queue', 'certificate')"
FORMER_ALERT_KINDS = "kind in ('unit', 'overdue', 'retraining', 'queue')"


def sites(roles: str) -> str:
    """The row's site is one where the person has one of these roles."""
    return f"site_id = any ((select scoped_sites_as('{{{roles}}}'))::bigint[])"


def scope(roles: str) -> str:
    """The same, and where the row has no site, the study is one where the role is for all sites."""
    study = f"study_id = any ((select whole_studies_as('{{{roles}}}'))::bigint[])"
    return f"case when site_id is null then {study} else {sites(roles)} end"


IS_OWN = "= (select current_user_id())"
IS_ONES_OWN = (
    f"(technician_id is null or exists (select from technician t where t.id = technician_id and t.user_id {IS_OWN}))"
)
SEES_CERTIFICATE = "exists (select from certificate c where c.id = certificate_id)"
MAY_ASK = f"({sites(KEEPERS)} or ({sites('site_technician')} and {IS_ONES_OWN}))"
POLICIES = {
    "certificate": {
        "select": f"using ({sites(COMPARERS)} or ({sites('site_technician')} and {IS_ONES_OWN}))",
        "insert": f"with check ({MAY_ASK} and requested_by_id {IS_OWN} and state = 'requested')",
        "update": f"using ({sites(KEEPERS)}) with check ({sites(KEEPERS)})",
    },
    "certificate_step": {
        "select": f"using ({sites('site_technician,' + COMPARERS)} and {SEES_CERTIFICATE})",
        "insert": (
            f"with check ({sites('site_technician,' + KEEPERS)} and actor_id {IS_OWN} and {SEES_CERTIFICATE} "
            f"and (state = 'requested' or {sites(KEEPERS)}))"
        ),
    },
    "certificate_evidence": {
        "select": f"using ({sites('site_technician,' + COMPARERS)} and {SEES_CERTIFICATE})",
        "insert": (
            f"with check ({sites('site_technician,' + KEEPERS)} and added_by_id {IS_OWN} and {SEES_CERTIFICATE})"
        ),
    },
    "re_evaluation": {
        "select": f"using ({scope(COMPARERS)})",
        "insert": f"with check ({scope('admin')} and requested_by_id {IS_OWN} and state = 'waiting')",
        "update": (
            f"using ({scope('admin')} and state in ('waiting', 'running')) "
            f"with check ({scope('admin')} and state = 'stopped')"
        ),
    },
    "re_evaluation_scan": {"select": f"using ({sites('site_technician,' + COMPARERS)})"},
}
GRANTS = (
    "select, insert on certificate, certificate_step, certificate_evidence, re_evaluation to octaudit_dashboard",
    "update (state, certified_at, expires_on, ended_at) on certificate to octaudit_dashboard",
    "update (state, ended_at) on re_evaluation to octaudit_dashboard",
    "select on re_evaluation_scan to octaudit_dashboard",
    "select on certificate, certificate_evidence, re_evaluation to octaudit_worker",
    "update (state, ended_at) on certificate to octaudit_worker",
    "select, insert on certificate_step, re_evaluation_scan to octaudit_worker",
    "update (state, done_up_to, started_at, ended_at) on re_evaluation to octaudit_worker",
)
SAME_SITE = {
    "certificate": {"device_id": "device", "technician_id": "technician"},
    "certificate_step": {"certificate_id": "certificate"},
    "certificate_evidence": {"certificate_id": "certificate", "scan_id": "scan"},
    "re_evaluation_scan": {"scan_id": "scan"},
}
"""Columns that name a row of the same site."""
UNCHANGEABLE = ("certificate_step", "certificate_evidence", "re_evaluation_scan")
TABLES = ("re_evaluation_scan", "re_evaluation", "certificate_evidence", "certificate_step", "certificate")
HOLDER = "kind <> 'suspension' or ((device_id is not null or technician_id is not null) and state <> 'dropped')"
FORMER_HOLDER = "kind <> 'suspension' or (device_id is not null and state <> 'dropped')"
CONCERNS = (
    "kind = 'issue' or technician_id is null or owner_id = (select current_user_id()) "
    "or exists (select from technician t where t.id = technician_id and t.user_id = (select current_user_id()))"
)
FORMER_CONCERNS = (
    "kind <> 'retraining' or owner_id = (select current_user_id()) "
    "or exists (select from technician t where t.id = technician_id and t.user_id = (select current_user_id()))"
)


def same_site_function(table: str, parents: dict[str, str]) -> str:
    """A trigger function that compares the row's site with that of every row it names, as in revision 0004."""
    checks = "\n".join(
        f"  if new.{column} is not null and not exists (select from {parent} p where p.id = new.{column} "
        f"and p.site_id = new.site_id) then\n"
        f"    raise exception using errcode = 'check_violation',\n"
        f"      message = '{table}.{column} names a row of another site';\n  end if;"
        for column, parent in parents.items()
    )
    return (
        f"create function {table}_stays_in_its_site() returns trigger language plpgsql {DEFINER} as $function$\n"
        f"begin\n{checks}\n  return new;\nend\n$function$"
    )


def upgrade() -> None:
    """Apply."""
    make_certificates()
    make_re_evaluations()
    for table, commands in POLICIES.items():
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
        for command, clauses in commands.items():
            op.execute(f"create policy dashboard_{command} on {table} for {command} to octaudit_dashboard {clauses}")
        for role in ("owner", "worker"):
            op.execute(f"create policy {role}_all on {table} to octaudit_{role} using (true) with check (true)")
    for grant in GRANTS:
        op.execute(f"grant {grant}")
    for table, parents in SAME_SITE.items():
        op.execute(same_site_function(table, parents))
        op.execute(
            f"create trigger stays_in_its_site before insert or update of site_id, {', '.join(parents)} on {table} "
            f"for each row execute function {table}_stays_in_its_site()"
        )
        op.execute(f"revoke all on function {table}_stays_in_its_site() from public")
    for table in UNCHANGEABLE:
        op.execute(
            f"create trigger stays_as_written before update or delete or truncate on {table} "
            "for each statement execute function stays_as_written()"
        )
    name_publishers()
    redraw_suspensions(HOLDER, CONCERNS)
    op.create_index(
        "uq_action_suspended_technician",
        "action",
        ["technician_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'suspension' and state = 'open' and technician_id is not null"),
    )
    op.create_index("ix_action_technician_id_created_at", "action", ["technician_id", "created_at"], unique=False)
    redraw_alert_kinds(ALERT_KINDS)
    op.create_index(
        "ix_expected_scan_missing",
        "expected_scan",
        ["site_id", "visit_id"],
        unique=False,
        postgresql_where=sa.text("first_received_at is null"),
    )


def name_publishers() -> None:
    """Who published each version, from the audit trail where it was a person."""
    op.add_column("protocol_version", sa.Column("published_by_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_protocol_version_published_by_id_app_user"),
        "protocol_version",
        "app_user",
        ["published_by_id"],
        ["id"],
    )
    op.execute("alter table protocol_version disable trigger stays_as_written")
    op.execute(
        "update protocol_version v set published_by_id = e.actor_id from audit_event e "
        "where e.entity = 'protocol_version' and e.action = 'publish_protocol' and e.entity_id = v.id"
    )
    op.execute("alter table protocol_version enable trigger stays_as_written")


def redraw_suspensions(holder: str, concerns: str) -> None:
    """Whose suspension there can be, and which of a site's actions its technicians see."""
    op.drop_constraint(op.f("ck_action_suspension"), "action", type_="check")
    op.create_check_constraint(op.f("ck_action_suspension"), "action", holder)
    op.execute("drop policy dashboard_select on action")
    op.execute(
        "create policy dashboard_select on action for select to octaudit_dashboard "
        f"using ({sites(COMPARERS)} or ({sites('site_technician')} and ({concerns})))"
    )


def redraw_alert_kinds(kinds: str) -> None:
    """Which kinds of alert there are."""
    op.drop_constraint(op.f("ck_alert_kind"), "alert", type_="check")
    op.create_check_constraint(op.f("ck_alert_kind"), "alert", kinds)


def created() -> sa.Column[object]:
    """When the row was written."""
    return sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)


def identity() -> sa.Column[object]:
    """The row's number."""
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False)


def foreign(table: str, column: str, parent: str) -> sa.ForeignKeyConstraint:
    """``column`` names a row of ``parent``."""
    return sa.ForeignKeyConstraint([column], [f"{parent}.id"], name=op.f(f"fk_{table}_{column}_{parent}"))


def make_certificates() -> None:
    """Certificates, their evidence and their steps."""
    table = "certificate"
    op.create_table(
        table,
        identity(),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("device_id", sa.BigInteger(), nullable=True),
        sa.Column("technician_id", sa.BigInteger(), nullable=True),
        sa.Column("serial", sa.String(), server_default="", nullable=False),
        sa.Column("software_version", sa.String(), server_default="", nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("requested_by_id", sa.BigInteger(), nullable=True),
        sa.Column("certified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        created(),
        *(sa.CheckConstraint(words, name=op.f(f"ck_{table}_{name}")) for name, words in CERTIFICATE_CHECKS.items()),
        foreign(table, "device_id", "device"),
        foreign(table, "technician_id", "technician"),
        foreign(table, "requested_by_id", "app_user"),
        foreign(table, "site_id", "site"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificate")),
    )
    for holder in ("device", "technician"):
        columns = [f"{holder}_id", "kind"]
        for name, states in (("asked", "requested', 'under_review"), ("held", "certified', 'recheck_due")):
            wanted = sa.text(f"state in ('{states}')")
            op.create_index(f"uq_certificate_{name}_{holder}", table, columns, unique=True, postgresql_where=wanted)
        op.create_index(f"ix_certificate_{holder}_id_kind", table, columns, unique=False)
    op.create_index(op.f("ix_certificate_site_id"), table, ["site_id"], unique=False)
    make_evidence_and_steps()


CERTIFICATE_CHECKS = {
    "state": "state in ('requested', 'under_review', 'certified', 'refused', 'recheck_due', 'replaced')",
    "holder": "(device_id is null) <> (technician_id is null)",
    "software_version": "device_id is not null or (serial = '' and software_version = '')",
    "certified_at": "(state in ('certified', 'recheck_due', 'replaced')) = (certified_at is not null)",
    "expires_on": "(certified_at is null) = (expires_on is null)",
    "ended_at": "(state in ('refused', 'recheck_due', 'replaced')) = (ended_at is not null)",
}


def make_evidence_and_steps() -> None:
    """What shows that a certificate is earned, and every move of it."""
    table = "certificate_evidence"
    op.create_table(
        table,
        sa.Column("certificate_id", sa.BigInteger(), nullable=False),
        sa.Column("scan_id", sa.BigInteger(), nullable=False),
        sa.Column("added_by_id", sa.BigInteger(), nullable=True),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        created(),
        foreign(table, "certificate_id", "certificate"),
        foreign(table, "scan_id", "scan"),
        foreign(table, "added_by_id", "app_user"),
        foreign(table, "site_id", "site"),
        sa.PrimaryKeyConstraint("certificate_id", "scan_id", name=op.f("pk_certificate_evidence")),
    )
    op.create_index(op.f("ix_certificate_evidence_scan_id"), table, ["scan_id"], unique=False)
    op.create_index(op.f("ix_certificate_evidence_site_id"), table, ["site_id"], unique=False)
    table = "certificate_step"
    op.create_table(
        table,
        identity(),
        sa.Column("certificate_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.String(), server_default="", nullable=False),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        created(),
        foreign(table, "certificate_id", "certificate"),
        foreign(table, "actor_id", "app_user"),
        foreign(table, "site_id", "site"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificate_step")),
        sa.UniqueConstraint("certificate_id", "number", name=op.f("uq_certificate_step_certificate_id_number")),
    )
    op.create_index(op.f("ix_certificate_step_site_id"), table, ["site_id"], unique=False)


def make_re_evaluations() -> None:
    """The acts, and what each did to each scan."""
    table = "re_evaluation"
    op.create_table(
        table,
        identity(),
        sa.Column("study_id", sa.BigInteger(), nullable=False),
        sa.Column("site_id", sa.BigInteger(), nullable=True),
        sa.Column("protocol_version_id", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.Date(), nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("requested_by_id", sa.BigInteger(), nullable=False),
        sa.Column("foreseen", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("done_up_to", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        created(),
        sa.CheckConstraint("state in ('waiting', 'running', 'done', 'stopped')", name=op.f("ck_re_evaluation_state")),
        sa.CheckConstraint(
            "(state in ('done', 'stopped')) = (ended_at is not null)", name=op.f("ck_re_evaluation_ended_at")
        ),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_re_evaluation_reason")),
        foreign(table, "study_id", "study"),
        foreign(table, "site_id", "site"),
        foreign(table, "protocol_version_id", "protocol_version"),
        foreign(table, "requested_by_id", "app_user"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_re_evaluation")),
    )
    open_only = sa.text("state in ('waiting', 'running')")
    op.create_index("uq_re_evaluation_open", table, ["study_id"], unique=True, postgresql_where=open_only)
    op.create_index("ix_re_evaluation_study_id_id", table, ["study_id", "id"], unique=False)
    op.create_index(op.f("ix_re_evaluation_site_id"), table, ["site_id"], unique=False)
    make_re_evaluated_scans()


def make_re_evaluated_scans() -> None:
    """One row per scan that a re-evaluation met."""
    table = "re_evaluation_scan"
    op.create_table(
        table,
        sa.Column("re_evaluation_id", sa.BigInteger(), nullable=False),
        sa.Column("scan_id", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("protocol_version_before_id", sa.BigInteger(), nullable=False),
        sa.Column("verdict_before", sa.String(), nullable=False),
        sa.Column("verdict_after", sa.String(), nullable=True),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        created(),
        sa.CheckConstraint(
            "outcome in ('changed', 'same', 'decided', 'requested', 'ended', 'unreadable')",
            name=op.f("ck_re_evaluation_scan_outcome"),
        ),
        sa.CheckConstraint(
            "(outcome in ('changed', 'same')) = (verdict_after is not null)",
            name=op.f("ck_re_evaluation_scan_verdict_after"),
        ),
        foreign(table, "re_evaluation_id", "re_evaluation"),
        foreign(table, "scan_id", "scan"),
        foreign(table, "protocol_version_before_id", "protocol_version"),
        foreign(table, "site_id", "site"),
        sa.PrimaryKeyConstraint("re_evaluation_id", "scan_id", name=op.f("pk_re_evaluation_scan")),
    )
    columns = ["re_evaluation_id", "outcome", "scan_id"]
    op.create_index("ix_re_evaluation_scan_outcome", table, columns, unique=False)
    op.create_index(op.f("ix_re_evaluation_scan_scan_id"), table, ["scan_id"], unique=False)
    op.create_index(op.f("ix_re_evaluation_scan_site_id"), table, ["site_id"], unique=False)


def downgrade() -> None:
    """Undo; suspensions of technicians and alerts about certificates go with it."""
    op.drop_index("ix_expected_scan_missing", table_name="expected_scan")
    op.execute("delete from alert_delivery d using alert a where a.id = d.alert_id and a.kind = 'certificate'")
    op.execute("delete from alert where kind = 'certificate'")
    redraw_alert_kinds(FORMER_ALERT_KINDS)
    op.execute("alter table action_step disable trigger stays_as_written")
    of_technicians = "kind = 'suspension' and device_id is null"
    op.execute(f"delete from action_step s using action a where a.id = s.action_id and a.{of_technicians}")  # noqa: S608
    op.execute(f"delete from action where {of_technicians}")  # noqa: S608 - fixed words
    op.execute("alter table action_step enable trigger stays_as_written")
    op.drop_index("ix_action_technician_id_created_at", table_name="action")
    op.drop_index("uq_action_suspended_technician", table_name="action")
    redraw_suspensions(FORMER_HOLDER, FORMER_CONCERNS)
    op.drop_constraint(op.f("fk_protocol_version_published_by_id_app_user"), "protocol_version", type_="foreignkey")
    op.drop_column("protocol_version", "published_by_id")
    for table in TABLES:
        op.drop_table(table)
    for table in SAME_SITE:
        op.execute(f"drop function {table}_stays_in_its_site()")
