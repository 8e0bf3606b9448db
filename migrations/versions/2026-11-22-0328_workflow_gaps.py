"""A visit is planned and called off, a schedule's recipients change, and a signature may be proven at the provider.

- visit gets its planned day, and when and why it was called off. Quality control, managers and administrators plan, so
  they may add what a visit expects, as not received.
- Whoever keeps a schedule adds and takes away its recipients, not its maker alone.
- An account without a password of octaudit signs after the identity provider has asked its person anew: the session
  remembers when, and its word holds for five minutes. check_own_password takes the word 'identity' for that.

The previous release goes on to run: its visits have no planned day, and its sessions prove nothing.

Revision 0028, after 0027.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0028"
down_revision: str | None = "0027"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

SQL = "language sql stable security definer set search_path = public, pg_temp"
PLPGSQL = "language plpgsql volatile security definer set search_path = public, pg_temp"
UPLOADERS = "site_technician,qc_technician"
PLANNERS = "qc_technician,manager,admin"
KEEPERS = "manager,admin"
IS_OWN = "= (select current_user_id())"


def sites(roles: str, column: str = "site_id") -> str:
    """The row's site is one where the person has one of these roles."""
    return f"{column} = any ((select scoped_sites_as('{{{roles}}}'))::bigint[])"


def studies(roles: str, column: str = "study_id") -> str:
    """The row's study is one where the person has one of these roles for every site."""
    return f"{column} = any ((select whole_studies_as('{{{roles}}}'))::bigint[])"


PLANNED = {
    "subject": f"{sites(UPLOADERS)} or {sites(PLANNERS)}",
    "visit": f"{sites(UPLOADERS)} or {sites(PLANNERS)}",
    "expected_scan": f"{sites(UPLOADERS)} or ({sites(PLANNERS)} and first_received_at is null)",
}
"""Who may add a row, by table."""
IN_STUDY = "study_id = any ((select scoped_studies())::bigint[])"
OF_KEPT_SCHEDULE = (
    "exists (select from report_schedule s where s.id = schedule_id and s.study_id = report_recipient.study_id "
    f"and s.ended_at is null and case s.kind when 'site' then {sites(KEEPERS, 's.site_id')} "
    f"else {studies(KEEPERS, 's.study_id')} end)"
)
OF_OWN_SCHEDULE = (
    "exists (select from report_schedule s where s.id = schedule_id and s.study_id = report_recipient.study_id "
    f"and s.created_by_id {IS_OWN} and s.ended_at is null)"
)
PLAN_COLUMNS = "planned_on, window_ends_on, called_off_at, called_off_reason"

FUNCTIONS = {
    "is_identity_proven()": (
        f"returns boolean {SQL}",
        """
        select exists (select from session s join user_identity i on i.user_id = s.user_id and i.ended_at is null
                       where s.id = session_id() and s.proven_at > clock_timestamp() - interval '5 minutes')
        """,
    ),
    "prove_identity(wanted_issuer text, wanted_subject text, proof text)": (
        f"returns boolean {PLPGSQL}",
        """
        declare
          person bigint := current_user_id();
          told jsonb := jsonb_build_object('by', 'identity', 'issuer', wanted_issuer);
        begin
          perform refuse_unless(is_proven(wanted_issuer, proof), 'this identity provider is not trusted');
          if person is null then
            return false;
          elsif not exists (select from user_identity i
                            where i.user_id = person and i.issuer = wanted_issuer and i.subject = wanted_subject
                              and i.ended_at is null) then
            insert into audit_event (actor_id, action, entity, entity_id, after)
            values (person, 'sign_failed', 'user', person, told);
            return false;
          end if;
          update session set proven_at = clock_timestamp() where id = session_id();
          insert into audit_event (actor_id, action, entity, entity_id, after)
          values (person, 'prove_identity', 'user', person, told);
          return true;
        end
        """,
    ),
    "own_means_to_sign()": (
        f"returns table (has_password boolean, has_identity boolean, is_proven boolean) {SQL}",
        """
        select u.password_hash is not null,
               exists (select from user_identity i where i.user_id = u.id and i.ended_at is null),
               is_identity_proven()
        from app_user u where u.id = current_user_id()
        """,
    ),
    "check_own_password(offered_hash text)": (
        f"returns boolean {PLPGSQL}",
        """
        declare
          account app_user%rowtype;
        begin
          -- No Argon2 hash is this word.
          if offered_hash = 'identity' then
            return is_identity_proven();
          end if;
          select * into account from app_user u where u.id = current_user_id() for update;
          if not found or account.password_hash is null or account.locked_until > clock_timestamp() then
            return false;
          end if;
          if account.password_hash = offered_hash then
            update app_user set failed_logins = 0, locked_until = null where id = account.id;
            return true;
          end if;
          perform count_wrong_password(account.id, 'sign_failed', account.id);
          return false;
        end
        """,
    ),
}
"""In the order in which they call each other."""
FORMER_CHECK = """
        declare
          account app_user%rowtype;
        begin
          select * into account from app_user u where u.id = current_user_id() for update;
          if not found or account.password_hash is null or account.locked_until > clock_timestamp() then
            return false;
          end if;
          if account.password_hash = offered_hash then
            update app_user set failed_logins = 0, locked_until = null where id = account.id;
            return true;
          end if;
          perform count_wrong_password(account.id, 'sign_failed', account.id);
          return false;
        end
"""
INTERNAL = {"is_identity_proven"}
"""Called by the other functions alone."""
KEPT = {"check_own_password"}
"""There before with the same arguments."""


def signature(declaration: str) -> str:
    """``f(bigint, text)`` of ``f(a bigint, b text)``."""
    name, _, arguments = declaration.rstrip(")").partition("(")
    return f"{name}({', '.join(argument.split()[-1] for argument in arguments.split(', ') if argument)})"


def upgrade() -> None:
    """Apply."""
    plan_visits()
    op.execute("drop policy dashboard_insert on report_recipient")
    op.execute(
        "create policy dashboard_insert on report_recipient for insert to octaudit_dashboard "
        f"with check ({IN_STUDY} and ({OF_OWN_SCHEDULE} or {OF_KEPT_SCHEDULE}))"
    )
    op.execute(
        "create policy dashboard_delete on report_recipient for delete to octaudit_dashboard "
        f"using ({IN_STUDY} and {OF_KEPT_SCHEDULE})"
    )
    op.execute("grant delete on report_recipient to octaudit_dashboard")
    op.add_column("session", sa.Column("proven_at", sa.DateTime(timezone=True), nullable=True))
    for declaration, (returns, body) in FUNCTIONS.items():
        op.execute(f"create or replace function {declaration} {returns} as $function${body}$function$")
        op.execute(f"revoke all on function {signature(declaration)} from public")
        if declaration.partition("(")[0] not in INTERNAL:
            op.execute(f"grant execute on function {signature(declaration)} to octaudit_dashboard")


def plan_visits() -> None:
    """The planned day and the end of a plan, and who may write them."""
    op.add_column("visit", sa.Column("planned_on", sa.Date(), nullable=True))
    op.add_column("visit", sa.Column("called_off_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("visit", sa.Column("called_off_reason", sa.String(), server_default="", nullable=False))
    op.create_check_constraint(
        op.f("ck_visit_called_off"), "visit", "(called_off_at is null) = (called_off_reason = '')"
    )
    op.create_index(
        "ix_visit_planned_on", "visit", ["site_id", "planned_on", "id"],
        postgresql_where=sa.text("planned_on is not null"),
    )  # fmt: skip
    for table, check in PLANNED.items():
        op.execute(f"drop policy dashboard_insert on {table}")
        op.execute(f"create policy dashboard_insert on {table} for insert to octaudit_dashboard with check ({check})")
    op.execute(
        f"create policy dashboard_update on visit for update to octaudit_dashboard using ({sites(PLANNERS)}) "
        f"with check ({sites(PLANNERS)})"
    )
    op.execute(f"grant update ({PLAN_COLUMNS}) on visit to octaudit_dashboard")


def downgrade() -> None:
    """Take back."""
    op.execute(
        "create or replace function check_own_password(offered_hash text) "
        f"returns boolean {PLPGSQL} as $function${FORMER_CHECK}$function$"
    )
    for declaration in reversed(FUNCTIONS):
        if declaration.partition("(")[0] not in KEPT:
            op.execute(f"drop function {signature(declaration)}")
    op.drop_column("session", "proven_at")
    op.execute("revoke delete on report_recipient from octaudit_dashboard")
    op.execute("drop policy dashboard_delete on report_recipient")
    op.execute("drop policy dashboard_insert on report_recipient")
    op.execute(
        "create policy dashboard_insert on report_recipient for insert to octaudit_dashboard "
        f"with check ({IN_STUDY} and {OF_OWN_SCHEDULE})"
    )
    op.execute(f"revoke update ({PLAN_COLUMNS}) on visit from octaudit_dashboard")
    op.execute("drop policy dashboard_update on visit")
    for table in PLANNED:
        op.execute(f"drop policy dashboard_insert on {table}")
        op.execute(
            f"create policy dashboard_insert on {table} for insert to octaudit_dashboard "
            f"with check ({sites(UPLOADERS)})"
        )
    op.drop_index("ix_visit_planned_on", "visit")
    op.drop_constraint(op.f("ck_visit_called_off"), "visit")
    for column in ("called_off_reason", "called_off_at", "planned_on"):
        op.drop_column("visit", column)
