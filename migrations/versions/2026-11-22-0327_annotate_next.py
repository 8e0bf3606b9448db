"""The scans of a study whose masks should be drawn next, and the masks that came back.

- mask_round is one choice, by a manager or administrator for every site of the study; it is never changed.
- wanted_mask is one scan of it. Managers and administrators of its site see it and put its mask in.

Revision 0027, after 0026.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0027"
down_revision: str | None = "0026"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

KEEPERS = "manager,admin"
DEFINER = "security definer set search_path = public, pg_temp"
SITES = f"site_id = any ((select scoped_sites_as('{{{KEEPERS}}}'))::bigint[])"
STUDIES = f"study_id = any ((select whole_studies_as('{{{KEEPERS}}}'))::bigint[])"
IS_OWN = "= (select current_user_id())"
POLICIES = {
    "mask_round": {
        "select": "using (study_id = any ((select scoped_studies())::bigint[]))",
        "insert": f"with check ({STUDIES} and created_by_id {IS_OWN})",
    },
    "wanted_mask": {
        "select": f"using ({SITES})",
        "insert": f"with check ({SITES} and mask_sha256 is null)",
        "update": f"using ({SITES}) with check ({SITES} and imported_by_id {IS_OWN})",
    },
}
GRANTS = (
    "select, insert on mask_round, wanted_mask to octaudit_dashboard",
    "update (mask_sha256, imported_at, imported_by_id) on wanted_mask to octaudit_dashboard",
    "select on wanted_mask to octaudit_worker",
)


def upgrade() -> None:
    """Apply."""
    make_rounds()
    make_wanted_masks()
    for table, commands in POLICIES.items():
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
        for command, clauses in commands.items():
            op.execute(f"create policy dashboard_{command} on {table} for {command} to octaudit_dashboard {clauses}")
        for role in ("owner", "worker"):
            op.execute(f"create policy {role}_all on {table} to octaudit_{role} using (true) with check (true)")
    for grant in GRANTS:
        op.execute(f"grant {grant}")
    op.execute(
        f"create function wanted_mask_stays_in_its_site() returns trigger language plpgsql {DEFINER} as $function$\n"
        "begin\n"
        "  if not exists (select from scan p where p.id = new.scan_id and p.site_id = new.site_id) then\n"
        "    raise exception using errcode = 'check_violation',\n"
        "      message = 'wanted_mask.scan_id names a row of another site';\n"
        "  end if;\n"
        "  return new;\n"
        "end\n$function$"
    )
    op.execute(
        "create trigger stays_in_its_site before insert or update of site_id, scan_id on wanted_mask "
        "for each row execute function wanted_mask_stays_in_its_site()"
    )
    op.execute("revoke all on function wanted_mask_stays_in_its_site() from public")


def foreign(table: str, column: str, parent: str, key: str = "id") -> sa.ForeignKeyConstraint:
    """``column`` names a row of ``parent``."""
    return sa.ForeignKeyConstraint([column], [f"{parent}.{key}"], name=op.f(f"fk_{table}_{column}_{parent}"))


def make_rounds() -> None:
    """The choices."""
    table = "mask_round"
    op.create_table(
        table,
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("study_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("rule", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_by_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("step in (1, 2)", name=op.f("ck_mask_round_step")),
        foreign(table, "study_id", "study"),
        foreign(table, "created_by_id", "app_user"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mask_round")),
    )
    op.create_index(op.f("ix_mask_round_study_id"), table, ["study_id"], unique=False)


def make_wanted_masks() -> None:
    """Their scans."""
    table = "wanted_mask"
    op.create_table(
        table,
        sa.Column("round_id", sa.BigInteger(), nullable=False),
        sa.Column("scan_id", sa.BigInteger(), nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("q", sa.Float(), nullable=True),
        sa.Column("mask_sha256", sa.String(64), nullable=True),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("imported_by_id", sa.BigInteger(), nullable=True),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("(mask_sha256 is null) = (imported_at is null)", name=op.f("ck_wanted_mask_imported_at")),
        sa.CheckConstraint("(mask_sha256 is null) = (imported_by_id is null)", name=op.f("ck_wanted_mask_imported_by")),
        foreign(table, "round_id", "mask_round"),
        foreign(table, "scan_id", "scan"),
        foreign(table, "mask_sha256", "blob", "sha256"),
        foreign(table, "imported_by_id", "app_user"),
        foreign(table, "site_id", "site"),
        sa.PrimaryKeyConstraint("round_id", "scan_id", name=op.f("pk_wanted_mask")),
    )
    for column in ("scan_id", "mask_sha256", "site_id"):
        op.create_index(op.f(f"ix_wanted_mask_{column}"), table, [column], unique=False)


def downgrade() -> None:
    """Undo; the masks that came back stay in the blob store until they are pruned."""
    op.drop_table("wanted_mask")
    op.execute("drop function wanted_mask_stays_in_its_site()")
    op.drop_table("mask_round")
