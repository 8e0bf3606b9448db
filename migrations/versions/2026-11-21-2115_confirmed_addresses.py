"""Alerts reach confirmed addresses alone, a webhook's secret is stored nowhere, and what is long over may be removed.

``app_user.email`` holds a confirmed address from now on. An address is asked for by a row of its own; the keeper sends
a code there, and the function ``confirm_own_email`` moves the address when the code comes back. Addresses that were
never confirmed are asked for anew.

The column with secrets in clear is dropped at once, against the rule of one release in between: while it stays, it can
be written and is in every backup. Live webhooks end, because their receivers know a secret that there is no more.

Revision 0016, after 0015.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

DEFINER = "security definer set search_path = public, pg_temp"
SENDING = "code_sha256, attempts, due_at, sent_at, expires_at, error, ended_at"
GRANTS = (
    "select on email_confirmation to octaudit_worker",
    f"update ({SENDING}) on email_confirmation to octaudit_worker",
    "delete on alert, alert_delivery, email_confirmation to octaudit_worker",
)
ONLY_WHAT_IS_OVER = {
    "alert": "ended_at is not null",
    "alert_delivery": "state <> 'waiting'",
    "email_confirmation": "ended_at is not null",
}
"""What the worker's role may delete of these tables."""
MOMENT = "timestamptz"
FUNCTIONS = {
    "ask_email_confirmation(wanted text)": (
        "text",
        """
        declare
          own bigint := current_user_id();
        begin
          if own is null then
            return 'nobody';
          end if;
          if wanted = (select u.email from app_user u where u.id = own) then
            update email_confirmation set ended_at = now() where user_id = own and ended_at is null;
            return 'same';
          end if;
          -- Whoever types addresses that are not theirs must not have mails sent there without end.
          if (select count(*) from email_confirmation c
              where c.user_id = own and c.created_at > now() - interval '1 day') >= 5 then
            return 'too_many';
          end if;
          update email_confirmation set ended_at = now() where user_id = own and ended_at is null;
          insert into email_confirmation (user_id, address, due_at) values (own, wanted, now());
          return 'asked';
        end
        """,
    ),
    "confirm_own_email(code text)": (
        "text",
        """
        declare
          asked email_confirmation%rowtype;
        begin
          select * into asked from email_confirmation c
          where c.user_id = current_user_id() and c.ended_at is null for update;
          if not found or asked.code_sha256 is null then
            return 'none';
          elsif asked.expires_at < now() then
            return 'expired';
          elsif asked.n_wrong >= 5 then
            return 'spent';
          elsif asked.code_sha256 <> encode(sha256(convert_to(asked.id || ':' || code, 'UTF8')), 'hex') then
            update email_confirmation set n_wrong = n_wrong + 1 where id = asked.id;
            return 'wrong';
          end if;
          update email_confirmation set ended_at = now(), confirmed_at = now() where id = asked.id;
          update app_user set email = asked.address where id = asked.user_id;
          return 'confirmed';
        end
        """,
    ),
    "forget_own_email()": (
        "void",
        """
        begin
          update email_confirmation set ended_at = now() where user_id = current_user_id() and ended_at is null;
          update app_user set email = null where id = current_user_id();
        end
        """,
    ),
    "own_email_confirmation()": (
        f"table (address text, asked_at {MOMENT}, sent_at {MOMENT}, expires_at {MOMENT}, is_spent boolean, error text)",
        """
        #variable_conflict use_column
        begin
          return query
          select c.address::text, c.created_at, c.sent_at, c.expires_at, c.n_wrong >= 5, c.error::text
          from email_confirmation c where c.user_id = current_user_id() and c.ended_at is null;
        end
        """,
    ),
}


def signature(declaration: str) -> str:
    """``f(bigint, text)`` of ``f(a bigint, b text)``."""
    name, _, arguments = declaration.rstrip(")").partition("(")
    return f"{name}({', '.join(argument.split()[-1] for argument in arguments.split(', ') if argument)})"


def make(declaration: str, returns: str, body: str) -> None:
    """A function with its owner's rights that the dashboard's role alone may call."""
    how = f"language plpgsql volatile {DEFINER}"
    op.execute(f"create function {declaration} returns {returns} {how} as $function${body}$function$")
    op.execute(f"revoke all on function {signature(declaration)} from public")
    op.execute(f"grant execute on function {signature(declaration)} to octaudit_dashboard")


def upgrade() -> None:
    """Apply."""
    make_table()
    op.execute("alter table email_confirmation enable row level security")
    op.execute("alter table email_confirmation force row level security")
    for role in ("owner", "worker"):
        op.execute(f"create policy {role}_all on email_confirmation to octaudit_{role} using (true) with check (true)")
    for grant in GRANTS:
        op.execute(f"grant {grant}")
    for table, is_over in ONLY_WHAT_IS_OVER.items():
        op.execute(
            f"create policy worker_is_over on {table} as restrictive for delete to octaudit_worker using ({is_over})"
        )
    op.execute("drop function set_own_email(text)")
    for declaration, (returns, body) in FUNCTIONS.items():
        make(declaration, returns, body)
    op.execute(
        "insert into email_confirmation (user_id, address, due_at) "
        "select id, email, now() from app_user where email is not null"
    )
    op.execute("update app_user set email = null where email is not null")
    op.execute("update alert_subscription set ended_at = now() where channel = 'webhook' and ended_at is null")
    op.drop_constraint(op.f("ck_alert_subscription_webhook"), "alert_subscription", type_="check")
    op.drop_column("alert_subscription", "secret")
    op.create_check_constraint(
        op.f("ck_alert_subscription_webhook"), "alert_subscription", "(channel = 'webhook') = (url is not null)"
    )


def make_table() -> None:
    """Addresses that wait for their code."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "email_confirmation",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("code_sha256", sa.String(length=64), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("due_at", moment, nullable=False),
        sa.Column("sent_at", moment, nullable=True),
        sa.Column("expires_at", moment, nullable=True),
        sa.Column("n_wrong", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("confirmed_at", moment, nullable=True),
        sa.Column("ended_at", moment, nullable=True),
        sa.Column("created_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(r"address ~ '^[^@\s<>]+@[^@\s<>]+$'", name=op.f("ck_email_confirmation_address")),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_email_confirmation_user_id_app_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_confirmation")),
    )
    op.create_index(
        "uq_email_confirmation_open",
        "email_confirmation",
        ["user_id"],
        unique=True,
        postgresql_where=sa.text("ended_at is null"),
    )
    op.create_index(op.f("ix_email_confirmation_user_id_created_at"), "email_confirmation", ["user_id", "created_at"])


def downgrade() -> None:
    """Undo. Webhooks stay ended: their secrets cannot be brought back."""
    op.drop_constraint(op.f("ck_alert_subscription_webhook"), "alert_subscription", type_="check")
    op.add_column("alert_subscription", sa.Column("secret", sa.String(), nullable=True))
    op.execute("update alert_subscription set secret = '', ended_at = coalesce(ended_at, now()) where url is not null")
    op.create_check_constraint(
        op.f("ck_alert_subscription_webhook"),
        "alert_subscription",
        "(channel = 'webhook') = (url is not null and secret is not null)",
    )
    for declaration in reversed(FUNCTIONS):
        op.execute(f"drop function {signature(declaration)}")
    make(
        "set_own_email(address text)",
        "boolean",
        "begin update app_user set email = address where id = current_user_id(); return found; end",
    )
    for table in ("alert", "alert_delivery"):
        op.execute(f"drop policy worker_is_over on {table}")
        op.execute(f"revoke delete on {table} from octaudit_worker")
    op.drop_table("email_confirmation")
