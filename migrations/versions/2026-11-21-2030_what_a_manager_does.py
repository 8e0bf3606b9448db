"""What a manager does about a flag: acknowledgements, actions with their steps, signed baselines; marks withdrawn.

All of it is the reading centre's but actions that concern a site: its technicians see those, a retraining only who is
to be retrained or sees to it. A signed baseline is written by one function that compares the password as a login does;
no role may insert one. Revision 0014, after 0013.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

COMPARERS = "qc_technician,adjudicator,manager,admin"
KEEPERS = "manager,admin"
DEFINER = "security definer set search_path = public, pg_temp"


def sites(roles: str) -> str:
    """The row's site is one where the person has one of these roles."""
    return f"site_id = any ((select scoped_sites_as('{{{roles}}}'))::bigint[])"


def scope(roles: str) -> str:
    """The same, and where the row has no site, the study is one where the role is for all sites."""
    study = f"study_id = any ((select whole_studies_as('{{{roles}}}'))::bigint[])"
    return f"case when site_id is null then {study} else {sites(roles)} end"


IS_OWN = "= (select current_user_id())"
CONCERNS = (
    f"kind <> 'retraining' or owner_id {IS_OWN} "
    f"or exists (select from technician t where t.id = technician_id and t.user_id {IS_OWN})"
)
POLICIES = {
    "flag_acknowledgement": {
        "select": f"using ({scope(COMPARERS)})",
        "insert": f"with check ({scope(KEEPERS)} and acknowledged_by_id {IS_OWN} and ended_at is null)",
    },
    "action": {
        "select": f"using ({sites(COMPARERS)} or ({sites('site_technician')} and ({CONCERNS})))",
        "insert": f"with check ({sites(KEEPERS)} and opened_by_id {IS_OWN} and state = 'open')",
        "update": f"using ({sites(KEEPERS)} and state = 'open') with check ({sites(KEEPERS)} and state <> 'open')",
    },
    "action_step": {
        "select": (
            f"using ({sites('site_technician,' + COMPARERS)} and exists (select from action a where a.id = action_id))"
        ),
        "insert": f"with check ({sites(KEEPERS)} and actor_id {IS_OWN})",
    },
    "signed_baseline": {"select": f"using ({scope(COMPARERS)})"},
}
WITHDRAWN_BY = scope(KEEPERS)
"""Who takes a mark back that was made by mistake; it stays as a row."""
GRANTS = (
    "select, insert on flag_acknowledgement, action, action_step to octaudit_dashboard",
    "update (state, closed_at) on action to octaudit_dashboard",
    "select on signed_baseline to octaudit_dashboard",
    "select on flag_acknowledgement, action to octaudit_worker",
    "update (ended_at) on flag_acknowledgement to octaudit_worker",
)
SAME_SITE = {"action": {"device_id": "device", "technician_id": "technician"}, "action_step": {"action_id": "action"}}
"""Columns that name a row of the same site."""
UNCHANGEABLE = ("action_step", "signed_baseline")
FUNCTIONS = {
    # Grants are closed to the dashboard's role; who opens an action must know who could see to it.
    "people_of_site(at_site bigint)": (
        f"returns table (id bigint, display_name text) language sql stable {DEFINER}",
        """
        select u.id, u.display_name from app_user u
        where at_site = any (scoped_sites_as('{manager,admin}')) and u.disabled_at is null and exists (
          select from site_grant g join site s on s.id = at_site
          where g.user_id = u.id and g.revoked_at is null and g.role <> 'grader'
            and (g.expires_at is null or g.expires_at > statement_timestamp())
            and (g.study_id is null or g.study_id = s.study_id) and (g.site_id is null or g.site_id = s.id))
        order by u.display_name, u.id
        """,
    ),
    # A wrong password counts towards the lock-out of the login, so that a signature form is no way round it.
    "check_own_password(offered_hash text)": (
        f"returns boolean language plpgsql volatile {DEFINER}",
        """
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
          update app_user set failed_logins = account.failed_logins + 1,
            locked_until = case when account.failed_logins + 1 >= 5
              then clock_timestamp() + least(interval '15 minutes',
                                             interval '15 seconds' * 2 ^ least(account.failed_logins - 4, 10)) end
          where id = account.id;
          insert into audit_event (actor_id, action, entity, entity_id)
          values (account.id, 'sign_failed', 'user', account.id);
          return false;
        end
        """,
    ),
    "sign_baseline(offered_hash text, signed jsonb)": (
        f"returns table (id bigint, number bigint) language plpgsql volatile {DEFINER}",
        """
        #variable_conflict use_column
        declare
          given signed_baseline%rowtype := jsonb_populate_record(null::signed_baseline, signed);
          signer app_user%rowtype;
        begin
          if not check_own_password(offered_hash) then
            raise exception using errcode = 'insufficient_privilege', message = 'the password is wrong';
          end if;
          if not (case when given.site_id is null then given.study_id = any (whole_studies_as('{manager,admin}'))
                 else given.site_id = any (scoped_sites_as('{manager,admin}'))
                   and exists (select from site s where s.id = given.site_id and s.study_id = given.study_id) end) then
            raise exception using errcode = 'insufficient_privilege', message = 'only a manager signs baselines';
          end if;
          -- One signer of a study's baselines at a time, so that versions have no gap and no twin.
          perform from study s where s.id = given.study_id for update;
          select * into signer from app_user u where u.id = current_user_id();
          return query
          insert into signed_baseline (study_id, site_id, unit_kind, unit_key, scan_type, number, starts_on, ends_on,
                                       centre, sigma_z, correlation, design_units, design_clusters, n_points, n,
                                       signed_by_id, signed_name, meaning, reason)
          select given.study_id, given.site_id, given.unit_kind, given.unit_key, given.scan_type,
                 coalesce((select max(b.number) from signed_baseline b
                           where b.study_id = given.study_id and b.unit_kind = given.unit_kind
                             and b.unit_key = given.unit_key and b.scan_type = given.scan_type), 0) + 1,
                 given.starts_on, given.ends_on, given.centre, given.sigma_z, given.correlation, given.design_units,
                 given.design_clusters, given.n_points, given.n, signer.id, signer.display_name, given.meaning,
                 given.reason
          returning signed_baseline.id, signed_baseline.number;
        end
        """,
    ),
}


def signature(declaration: str) -> str:
    """``f(bigint, text)`` of ``f(a bigint, b text)``."""
    name, _, arguments = declaration.rstrip(")").partition("(")
    return f"{name}({', '.join(argument.split()[-1] for argument in arguments.split(', ') if argument)})"


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
    make_tables()
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
    for table in UNCHANGEABLE:
        op.execute(
            f"create trigger stays_as_written before update or delete or truncate on {table} "
            "for each statement execute function stays_as_written()"
        )
    for declaration, (returns, body) in FUNCTIONS.items():
        op.execute(f"create function {declaration} {returns} as $function${body}$function$")
        op.execute(f"revoke all on function {signature(declaration)} from public")
        op.execute(f"grant execute on function {signature(declaration)} to octaudit_dashboard")
    op.drop_constraint(op.f("ck_alert_kind"), "alert", type_="check")
    op.create_check_constraint(op.f("ck_alert_kind"), "alert", "kind in ('unit', 'overdue', 'retraining', 'queue')")
    op.add_column("annotation", sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("grant update (withdrawn_at) on annotation to octaudit_dashboard")
    op.execute(
        "create policy dashboard_update on annotation for update to octaudit_dashboard "
        f"using (withdrawn_at is null and ({WITHDRAWN_BY})) with check ({WITHDRAWN_BY})"
    )


def make_tables() -> None:
    """The four tables with their indexes."""
    make_acknowledgements()
    make_actions()
    make_baselines()


def columns_of(*named: sa.Column[object]) -> tuple[sa.Column[object], ...]:
    """Id first, then these, then when the row was written."""
    created = sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False), *named, created


def make_acknowledgements() -> None:
    """Who has seen which flag."""
    op.create_table(
        "flag_acknowledgement",
        *columns_of(
            sa.Column("study_id", sa.BigInteger(), nullable=False),
            sa.Column("site_id", sa.BigInteger(), nullable=True),
            sa.Column("unit_kind", sa.String(), nullable=False),
            sa.Column("unit_key", sa.String(), nullable=False),
            sa.Column("indicator", sa.String(), nullable=False),
            sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
            sa.Column("comment", sa.String(), nullable=False),
            sa.Column("acknowledged_by_id", sa.BigInteger(), nullable=False),
            sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        ),
        sa.CheckConstraint("comment <> ''", name=op.f("ck_flag_acknowledgement_comment")),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_flag_acknowledgement_study_id_study")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_flag_acknowledgement_site_id_site")),
        sa.ForeignKeyConstraint(
            ["acknowledged_by_id"], ["app_user.id"], name=op.f("fk_flag_acknowledgement_acknowledged_by_id_app_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flag_acknowledgement")),
    )
    op.create_index(
        "uq_flag_acknowledgement_standing",
        "flag_acknowledgement",
        ["study_id", "unit_kind", "unit_key", "indicator"],
        unique=True,
        postgresql_where=sa.text("ended_at is null"),
    )
    op.create_index(op.f("ix_flag_acknowledgement_site_id"), "flag_acknowledgement", ["site_id"], unique=False)


def make_actions() -> None:
    """What was agreed with a site, and every move of it."""
    op.create_table(
        "action",
        *columns_of(
            sa.Column("site_id", sa.BigInteger(), nullable=False),
            sa.Column("kind", sa.String(), nullable=False),
            sa.Column("unit_kind", sa.String(), nullable=False),
            sa.Column("unit_key", sa.String(), nullable=False),
            sa.Column("unit_label", sa.String(), nullable=False),
            sa.Column("device_id", sa.BigInteger(), nullable=True),
            sa.Column("technician_id", sa.BigInteger(), nullable=True),
            sa.Column("text", sa.String(), nullable=False),
            sa.Column("owner_id", sa.BigInteger(), nullable=False),
            sa.Column("due_on", sa.Date(), nullable=True),
            sa.Column("state", sa.String(), nullable=False),
            sa.Column("opened_by_id", sa.BigInteger(), nullable=False),
            sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        ),
        sa.CheckConstraint("kind in ('issue', 'retraining', 'suspension')", name=op.f("ck_action_kind")),
        sa.CheckConstraint("state in ('open', 'done', 'dropped')", name=op.f("ck_action_state")),
        sa.CheckConstraint("(state = 'open') = (closed_at is null)", name=op.f("ck_action_closed_at")),
        sa.CheckConstraint(
            "kind <> 'suspension' or (device_id is not null and state <> 'dropped')", name=op.f("ck_action_suspension")
        ),
        sa.CheckConstraint("kind <> 'retraining' or technician_id is not null", name=op.f("ck_action_retraining")),
        sa.CheckConstraint("(kind = 'suspension') = (due_on is null)", name=op.f("ck_action_due_on")),
        sa.CheckConstraint("text <> ''", name=op.f("ck_action_text")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_action_site_id_site")),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name=op.f("fk_action_device_id_device")),
        sa.ForeignKeyConstraint(["technician_id"], ["technician.id"], name=op.f("fk_action_technician_id_technician")),
        sa.ForeignKeyConstraint(["owner_id"], ["app_user.id"], name=op.f("fk_action_owner_id_app_user")),
        sa.ForeignKeyConstraint(["opened_by_id"], ["app_user.id"], name=op.f("fk_action_opened_by_id_app_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_action")),
    )
    op.create_index(op.f("ix_action_site_id"), "action", ["site_id"], unique=False)
    op.create_index("ix_action_site_id_state", "action", ["site_id", "state"], unique=False)
    op.create_index(
        "uq_action_suspended",
        "action",
        ["device_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'suspension' and state = 'open'"),
    )
    op.create_index("ix_action_device_id_created_at", "action", ["device_id", "created_at"], unique=False)
    op.create_table(
        "action_step",
        *columns_of(
            sa.Column("site_id", sa.BigInteger(), nullable=False),
            sa.Column("action_id", sa.BigInteger(), nullable=False),
            sa.Column("number", sa.BigInteger(), nullable=False),
            sa.Column("state", sa.String(), nullable=False),
            sa.Column("actor_id", sa.BigInteger(), nullable=False),
            sa.Column("note", sa.String(), nullable=False),
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_action_step_site_id_site")),
        sa.ForeignKeyConstraint(["action_id"], ["action.id"], name=op.f("fk_action_step_action_id_action")),
        sa.ForeignKeyConstraint(["actor_id"], ["app_user.id"], name=op.f("fk_action_step_actor_id_app_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_action_step")),
        sa.UniqueConstraint("action_id", "number", name=op.f("uq_action_step_action_id_number")),
    )
    op.create_index(op.f("ix_action_step_site_id"), "action_step", ["site_id"], unique=False)


def make_baselines() -> None:
    """What a chart's points are held against, as signed."""
    numbers = ("design_units", "design_clusters", "n_points", "n", "signed_by_id")
    op.create_table(
        "signed_baseline",
        *columns_of(
            sa.Column("study_id", sa.BigInteger(), nullable=False),
            sa.Column("site_id", sa.BigInteger(), nullable=True),
            sa.Column("unit_kind", sa.String(), nullable=False),
            sa.Column("unit_key", sa.String(), nullable=False),
            sa.Column("scan_type", sa.String(), server_default="", nullable=False),
            sa.Column("number", sa.BigInteger(), nullable=False),
            sa.Column("starts_on", sa.Date(), nullable=False),
            sa.Column("ends_on", sa.Date(), nullable=False),
            *(sa.Column(name, sa.Float(), nullable=False) for name in ("centre", "sigma_z", "correlation")),
            *(sa.Column(name, sa.BigInteger(), nullable=False) for name in numbers),
            *(sa.Column(name, sa.String(), nullable=False) for name in ("signed_name", "meaning", "reason")),
        ),
        sa.CheckConstraint("starts_on <= ends_on", name=op.f("ck_signed_baseline_period")),
        sa.CheckConstraint(
            "centre between 0 and 1 and sigma_z >= 1 and correlation between 0 and 1",
            name=op.f("ck_signed_baseline_values"),
        ),
        sa.CheckConstraint("meaning <> '' and reason <> ''", name=op.f("ck_signed_baseline_signature")),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_signed_baseline_study_id_study")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_signed_baseline_site_id_site")),
        sa.ForeignKeyConstraint(
            ["signed_by_id"], ["app_user.id"], name=op.f("fk_signed_baseline_signed_by_id_app_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signed_baseline")),
        sa.UniqueConstraint(
            "study_id",
            "unit_kind",
            "unit_key",
            "scan_type",
            "number",
            name=op.f("uq_signed_baseline_study_id_unit_kind_unit_key_scan_type_number"),
        ),
    )
    op.create_index(op.f("ix_signed_baseline_site_id"), "signed_baseline", ["site_id"], unique=False)


def downgrade() -> None:
    """Undo."""
    op.execute("drop policy dashboard_update on annotation")
    op.drop_column("annotation", "withdrawn_at")
    op.execute("delete from alert_delivery where alert_id in (select id from alert where kind = 'retraining')")
    op.execute("delete from alert where kind = 'retraining'")
    op.drop_constraint(op.f("ck_alert_kind"), "alert", type_="check")
    op.create_check_constraint(op.f("ck_alert_kind"), "alert", "kind in ('unit', 'overdue', 'queue')")
    for declaration in reversed(FUNCTIONS):
        op.execute(f"drop function {signature(declaration)}")
    for table in ("signed_baseline", "action_step", "action", "flag_acknowledgement"):
        op.drop_table(table)
    for table in SAME_SITE:
        op.execute(f"drop function {table}_stays_in_its_site()")
