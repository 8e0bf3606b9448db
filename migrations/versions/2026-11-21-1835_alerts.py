"""Alerts, who subscribed to them, and what was sent; and the e-mail address of a person.

The dashboard's role sees the alerts of its person's sites, and of its subscriptions and deliveries the person's own.
It writes the secret of a webhook and cannot read it back; it reads and writes the person's own e-mail address by two
functions and no other address. Whether a person may be told of an alert is a function for the worker's role, which
cannot read grants itself.

Revision 0013, after 0012.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

COMPARERS = "qc_technician,adjudicator,manager,admin"
"""Roles that compare sites with each other. A grader sees no alert: a request tells of a scan still to be graded."""
REMINDED = f"site_technician,{COMPARERS}"
"""Roles that are told of overdue requests."""
IS_OWN = "user_id = (select current_user_id()) and study_id = any ((select scoped_studies())::bigint[])"

POLICIES = {
    "alert": {
        "select": (
            f"using (case when site_id is null then study_id = any ((select whole_studies_as('{{{COMPARERS}}}'))::bigint[]) "
            f"when kind = 'overdue' then site_id = any ((select scoped_sites_as('{{{REMINDED}}}'))::bigint[]) "
            f"else site_id = any ((select scoped_sites_as('{{{COMPARERS}}}'))::bigint[]) end)"
        ),
    },
    "alert_subscription": {
        "select": f"using ({IS_OWN})",
        "insert": f"with check ({IS_OWN} and ended_at is null)",
        "update": f"using ({IS_OWN}) with check ({IS_OWN})",
    },
    "alert_delivery": {
        "select": (
            "using (study_id = any ((select scoped_studies())::bigint[]) and exists "
            "(select from alert_subscription s where s.id = subscription_id and s.user_id = (select current_user_id())))"
        ),
    },
}
GRANTS = (
    "select on alert, alert_delivery to octaudit_dashboard",
    "select (id, created_at, user_id, study_id, channel, wanted, url, ended_at) on alert_subscription to octaudit_dashboard",
    "insert on alert_subscription to octaudit_dashboard",
    "update (wanted, ended_at) on alert_subscription to octaudit_dashboard",
    "select on alert, alert_delivery, alert_subscription to octaudit_worker",
    "insert on alert, alert_delivery to octaudit_worker",
    "update (ended_at) on alert to octaudit_worker",
    "update (state, attempts, due_at, sent_at, error) on alert_delivery to octaudit_worker",
    "select (email) on app_user to octaudit_worker",
)
FUNCTIONS = {
    "own_email()": (
        "octaudit_dashboard",
        "returns text language sql stable security definer set search_path = public, pg_temp",
        "select email from app_user where id = current_user_id()",
    ),
    "set_own_email(address text)": (
        "octaudit_dashboard",
        "returns boolean language plpgsql volatile security definer set search_path = public, pg_temp",
        """
        begin
          update app_user set email = address where id = current_user_id();
          return found;
        end
        """,
    ),
    "may_be_told(account bigint, alert_kind text, study bigint, site bigint)": (
        "octaudit_worker",
        "returns boolean language sql stable security definer set search_path = public, pg_temp",
        f"""
        select exists (
          select from site_grant g join app_user u on u.id = g.user_id
          where u.id = account and u.disabled_at is null and g.revoked_at is null
            and (g.expires_at is null or g.expires_at > statement_timestamp())
            and (g.study_id is null or g.study_id = study)
            and (g.site_id is null or g.site_id = site)
            and g.role = any (case when alert_kind = 'overdue' then '{{{REMINDED}}}' else '{{{COMPARERS}}}' end::text[]))
        """,
    ),
}


def signature(declaration: str) -> str:
    """``f(bigint, text)`` of ``f(a bigint, b text)``."""
    name, _, arguments = declaration.rstrip(")").partition("(")
    return f"{name}({', '.join(argument.split()[-1] for argument in arguments.split(', ') if argument)})"


def upgrade() -> None:
    """Apply."""
    op.add_column("app_user", sa.Column("email", sa.String(), nullable=True))
    op.create_check_constraint(op.f("ck_app_user_email"), "app_user", r"email ~ '^[^@\s<>]+@[^@\s<>]+$'")
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
    for declaration, (role, returns, body) in FUNCTIONS.items():
        op.execute(f"create function {declaration} {returns} as $function${body}$function$")
        op.execute(f"revoke all on function {signature(declaration)} from public")
        op.execute(f"grant execute on function {signature(declaration)} to {role}")


def make_tables() -> None:
    """The three tables with their indexes."""
    moment, document = sa.DateTime(timezone=True), postgresql.JSONB(astext_type=sa.Text())
    op.create_table(
        "alert",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("study_id", sa.BigInteger(), nullable=False),
        sa.Column("site_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("detail", document, nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.Column("ended_at", moment, nullable=True),
        sa.CheckConstraint("kind in ('unit', 'overdue', 'queue')", name=op.f("ck_alert_kind")),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_alert_study_id_study")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_alert_site_id_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
    )
    open_only = sa.text("ended_at is null")
    op.create_index("uq_alert_open", "alert", ["study_id", "kind", "subject"], unique=True, postgresql_where=open_only)
    op.create_index("ix_alert_ended_at", "alert", ["ended_at"], unique=False)
    op.create_index(op.f("ix_alert_site_id"), "alert", ["site_id"], unique=False)
    op.create_table(
        "alert_subscription",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("study_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("wanted", document, nullable=False),
        sa.Column("url", sa.String(), nullable=True),
        sa.Column("secret", sa.String(), nullable=True),
        sa.Column("ended_at", moment, nullable=True),
        sa.Column("created_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("channel in ('email', 'webhook')", name=op.f("ck_alert_subscription_channel")),
        sa.CheckConstraint(
            "(channel = 'webhook') = (url is not null and secret is not null)", name=op.f("ck_alert_subscription_webhook")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_alert_subscription_user_id_app_user")),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_alert_subscription_study_id_study")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_subscription")),
    )
    op.create_index(
        "uq_alert_subscription_live", "alert_subscription", ["user_id", "study_id", "channel"], unique=True,
        postgresql_where=open_only,
    )
    op.create_table(
        "alert_delivery",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("study_id", sa.BigInteger(), nullable=False),
        sa.Column("alert_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), server_default="waiting", nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("due_at", moment, nullable=False),
        sa.Column("sent_at", moment, nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("created_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "state in ('waiting', 'sent', 'failed', 'withdrawn')", name=op.f("ck_alert_delivery_state")
        ),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_alert_delivery_study_id_study")),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"], name=op.f("fk_alert_delivery_alert_id_alert")),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["alert_subscription.id"],
            name=op.f("fk_alert_delivery_subscription_id_alert_subscription"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_delivery")),
        sa.UniqueConstraint("alert_id", "subscription_id", name=op.f("uq_alert_delivery_alert_id_subscription_id")),
    )
    op.create_index(
        "ix_alert_delivery_due_at", "alert_delivery", ["due_at"], unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index("ix_alert_delivery_subscription_id", "alert_delivery", ["subscription_id", "id"], unique=False)


def downgrade() -> None:
    """Undo."""
    for declaration in reversed(FUNCTIONS):
        op.execute(f"drop function {signature(declaration)}")
    for table in ("alert_delivery", "alert_subscription", "alert"):
        op.drop_table(table)
    op.drop_constraint(op.f("ck_app_user_email"), "app_user", type_="check")
    op.drop_column("app_user", "email")
