"""Which model scores which lane, for which device, from when, and why; and scans scored again with another model.

- model_version knows its lane, where its weights lie, and whether it may still be chosen. It is retired by an
  administrator of all studies or by the operator, through a function: the table names no study that a policy could ask.
- model_activation is a signed decision of a study's administrator. What is open holds; it is ended, never changed.
- rescoring is an order; rescoring_scan its queue, beside the normal one, and what became of each scan.

Revision 0026, after 0025.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0026"
down_revision: str | None = "0025"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

COMPARERS = "qc_technician,adjudicator,manager,admin"
DEFINER = "security definer set search_path = public, pg_temp"


def sites(roles: str) -> str:
    """The row's site is one where the person has one of these roles."""
    return f"site_id = any ((select scoped_sites_as('{{{roles}}}'))::bigint[])"


def studies(roles: str) -> str:
    """The row's study is one where the person has one of these roles for every site."""
    return f"study_id = any ((select whole_studies_as('{{{roles}}}'))::bigint[])"


def scope(roles: str) -> str:
    """The row's site is one of these, and where the row has no site, the study is."""
    return f"case when site_id is null then {studies(roles)} else {sites(roles)} end"


IS_OWN = "= (select current_user_id())"
POLICIES = {
    "model_activation": {
        "select": "using (study_id = any ((select scoped_studies())::bigint[]))",
        "insert": f"with check ({studies('admin')} and activated_by_id {IS_OWN} and ended_at is null)",
        "update": (
            f"using ({studies('admin')} and ended_at is null) "
            f"with check ({studies('admin')} and ended_by_id {IS_OWN} and ended_at is not null)"
        ),
    },
    "rescoring": {
        "select": f"using ({scope(COMPARERS)})",
        "insert": f"with check ({scope('admin')} and requested_by_id {IS_OWN} and state = 'waiting')",
        "update": f"using ({scope('admin')} and adopted_at is null) with check ({scope('admin')})",
    },
    "rescoring_scan": {
        "select": f"using ({sites('site_technician,' + COMPARERS)})",
        "insert": f"with check ({sites('admin')} and state in ('waiting', 'scored') and outcome is null)",
    },
}
PROGRESS = "state, attempts, leased_by, lease_expires_at, failure, assessment_id, outcome, former_assessment_id"
GRANTS = (
    "select, insert on model_activation, rescoring, rescoring_scan to octaudit_dashboard",
    "update (ended_at, ended_by_id, end_reason) on model_activation to octaudit_dashboard",
    "update (state, ended_at, adopted_at, adopted_by_id, adoption_reason) on rescoring to octaudit_dashboard",
    "select on model_activation, rescoring, rescoring_scan to octaudit_worker",
    "update (state, started_at, ended_at, adoption_ended_at) on rescoring to octaudit_worker",
    f"update ({PROGRESS}) on rescoring_scan to octaudit_worker",
    "update (stored_sha256, kind) on model_version to octaudit_worker",
)
SAME_SITE = {
    "rescoring_scan": {"scan_id": "scan", "assessment_id": "assessment", "former_assessment_id": "assessment"}
}
"""Columns that name a row of the same site."""
RETIRE = "retire_model(asked bigint, is_retired boolean, why text)"
RETIRES = """
declare
  n_changed bigint;
begin
  perform refuse_unless(is_operator() or is_global_admin(),
                        'a model is retired by an administrator of all studies or by the operator');
  if is_retired and exists (select from model_activation a where a.model_version_id = asked and a.ended_at is null) then
    raise exception using errcode = 'object_in_use', message = 'the model is active in a study';
  end if;
  update model_version v set retired_at = case when is_retired then now() end, retired_reason = why
  where v.id = asked and (v.retired_at is null) = is_retired;
  get diagnostics n_changed = row_count;
  return n_changed = 1;
end
"""
ORDER_STATES = "state in ('waiting', 'running', 'done', 'stopped')"
RESCORING_CHECKS = {
    "state": ORDER_STATES,
    "ended_at": "(state in ('done', 'stopped')) = (ended_at is not null)",
    "reason": "reason <> ''",
    "adopted_at": "(adopted_at is null) = (adopted_by_id is null) and (adopted_at is null) = (adoption_reason = '')",
    "adoption_ended_at": "adoption_ended_at is null or adopted_at is not null",
}
SCAN_CHECKS = {
    "state": "state in ('waiting', 'scoring', 'scored', 'failed')",
    "assessment_id": "(state = 'scored') = (assessment_id is not null)",
    "failure": "(state = 'failed') = (failure <> '')",
    "outcome": "outcome in ('changed', 'same', 'decided', 'requested', 'ended', 'outdated')",
}


def upgrade() -> None:
    """Apply."""
    widen_model_versions()
    make_activations()
    make_rescorings()
    make_rescored_scans()
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
    op.execute(f"create function {RETIRE} returns boolean language plpgsql volatile {DEFINER} as $function${RETIRES}$function$")
    op.execute("revoke all on function retire_model(bigint, boolean, text) from public")
    op.execute("grant execute on function retire_model(bigint, boolean, text) to octaudit_dashboard")


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


def widen_model_versions() -> None:
    """The lane, the weights and the retirement of a model version; there was one lane so far."""
    table = "model_version"
    op.add_column(table, sa.Column("kind", sa.String(), server_default="octa-enface", nullable=False))
    op.add_column(table, sa.Column("origin", sa.String(), server_default="installation", nullable=False))
    op.add_column(table, sa.Column("stored_sha256", sa.String(64), nullable=True))
    op.add_column(table, sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(table, sa.Column("retired_reason", sa.String(), server_default="", nullable=False))
    op.create_foreign_key(op.f("fk_model_version_stored_sha256_blob"), table, "blob", ["stored_sha256"], ["sha256"])


def created() -> sa.Column[object]:
    """When the row was written."""
    return sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)


def identity() -> sa.Column[object]:
    """The row's number."""
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False)


def number(name: str, *, nullable: bool = False) -> sa.Column[object]:
    """A whole number, or the id of a row."""
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def words(name: str, *, is_empty_at_first: bool = False, nullable: bool = False) -> sa.Column[object]:
    """A text."""
    return sa.Column(name, sa.String(), server_default="" if is_empty_at_first else None, nullable=nullable)


def moment(name: str) -> sa.Column[object]:
    """A moment that may not have come."""
    return sa.Column(name, sa.DateTime(timezone=True), nullable=True)


def foreign(table: str, column: str, parent: str) -> sa.ForeignKeyConstraint:
    """``column`` names a row of ``parent``."""
    return sa.ForeignKeyConstraint([column], [f"{parent}.id"], name=op.f(f"fk_{table}_{column}_{parent}"))


def checks(table: str, asked: dict[str, str]) -> list[sa.CheckConstraint]:
    """The table's checks by name."""
    return [sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}")) for name, condition in asked.items()]


def make_activations() -> None:
    """Signed decisions about who scores what."""
    table = "model_activation"
    op.create_table(
        table,
        identity(),
        number("study_id"),
        words("kind"),
        words("device_model", is_empty_at_first=True),
        number("model_version_id"),
        words("reason"),
        words("meaning"),
        number("activated_by_id"),
        moment("ended_at"),
        number("ended_by_id", nullable=True),
        words("end_reason", is_empty_at_first=True),
        created(),
        *checks(
            table,
            {
                "reason": "reason <> ''",
                "end_reason": "(ended_at is null) = (end_reason = '')",
                "ended_by": "(ended_at is null) = (ended_by_id is null)",
            },
        ),
        foreign(table, "study_id", "study"),
        foreign(table, "model_version_id", "model_version"),
        foreign(table, "activated_by_id", "app_user"),
        foreign(table, "ended_by_id", "app_user"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_activation")),
    )
    open_only = sa.text("ended_at is null")
    columns = ["study_id", "kind", "device_model"]
    op.create_index("uq_model_activation_open", table, columns, unique=True, postgresql_where=open_only)
    op.create_index("ix_model_activation_study_id_id", table, ["study_id", "id"], unique=False)
    op.create_index(op.f("ix_model_activation_model_version_id"), table, ["model_version_id"], unique=False)


def make_rescorings() -> None:
    """The orders."""
    table = "rescoring"
    op.create_table(
        table,
        identity(),
        number("study_id"),
        number("site_id", nullable=True),
        words("kind"),
        number("model_version_id"),
        sa.Column("since", sa.Date(), nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        words("reason"),
        number("requested_by_id"),
        words("state"),
        moment("started_at"),
        moment("ended_at"),
        moment("adopted_at"),
        number("adopted_by_id", nullable=True),
        words("adoption_reason", is_empty_at_first=True),
        moment("adoption_ended_at"),
        created(),
        *checks(table, RESCORING_CHECKS),
        foreign(table, "study_id", "study"),
        foreign(table, "site_id", "site"),
        foreign(table, "model_version_id", "model_version"),
        foreign(table, "requested_by_id", "app_user"),
        foreign(table, "adopted_by_id", "app_user"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rescoring")),
    )
    open_only = sa.text("state in ('waiting', 'running')")
    op.create_index("uq_rescoring_open", table, ["study_id", "kind"], unique=True, postgresql_where=open_only)
    op.create_index("ix_rescoring_study_id_id", table, ["study_id", "id"], unique=False)
    op.create_index(op.f("ix_rescoring_site_id"), table, ["site_id"], unique=False)
    op.create_index(op.f("ix_rescoring_model_version_id"), table, ["model_version_id"], unique=False)


def make_rescored_scans() -> None:
    """Their queue."""
    table = "rescoring_scan"
    op.create_table(
        table,
        number("rescoring_id"),
        number("scan_id"),
        number("number"),
        words("state"),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        words("leased_by", nullable=True),
        moment("lease_expires_at"),
        words("failure", is_empty_at_first=True),
        number("assessment_id", nullable=True),
        words("outcome", nullable=True),
        number("former_assessment_id", nullable=True),
        number("site_id"),
        created(),
        *checks(table, SCAN_CHECKS),
        foreign(table, "rescoring_id", "rescoring"),
        foreign(table, "scan_id", "scan"),
        foreign(table, "assessment_id", "assessment"),
        foreign(table, "former_assessment_id", "assessment"),
        foreign(table, "site_id", "site"),
        sa.PrimaryKeyConstraint("rescoring_id", "scan_id", name=op.f("pk_rescoring_scan")),
    )
    columns = ["rescoring_id", "number"]
    op.create_index("uq_rescoring_scan_number", table, columns, unique=True)
    waiting = sa.text("state in ('waiting', 'scoring')")
    op.create_index("ix_rescoring_scan_queue", table, columns, unique=False, postgresql_where=waiting)
    op.create_index(op.f("ix_rescoring_scan_scan_id"), table, ["scan_id"], unique=False)
    op.create_index(op.f("ix_rescoring_scan_site_id"), table, ["site_id"], unique=False)


def downgrade() -> None:
    """Undo; what other models said stays among the assessments."""
    op.execute("revoke update (stored_sha256, kind) on model_version from octaudit_worker")
    op.execute("drop function retire_model(bigint, boolean, text)")
    for table in ("rescoring_scan", "rescoring", "model_activation"):
        op.drop_table(table)
    for table in SAME_SITE:
        op.execute(f"drop function {table}_stays_in_its_site()")
    op.drop_constraint(op.f("fk_model_version_stored_sha256_blob"), "model_version", type_="foreignkey")
    for column in ("retired_reason", "retired_at", "stored_sha256", "origin", "kind"):
        op.drop_column("model_version", column)
