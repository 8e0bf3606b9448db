"""What a review leaves behind and what surrounds it: criteria, undo, drafts, who is on a scan, acceptance in bulk.

A review keeps what it replaced and the version that it made, so that its own reviewer can take it back as long as
nobody has moved on. A draft is its writer's alone. A claim says who has a scan open, to others who decide about it.
A bulk acceptance is a row with its scans; it is its reviewer's, and the adjudicators and keepers of the study may look.

A request that was taken back is ``withdrawn``: it has ended, so it does not keep its capture from a new one.

Revision 0017, after 0016.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0017"
down_revision: str | None = "0016"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

DECIDERS = "qc_technician,adjudicator"
LOOKERS = "qc_technician,adjudicator,manager,admin"
OVERSEERS = "adjudicator,manager,admin"
DEFINER = "language plpgsql security definer set search_path = public, pg_temp"
MOMENT = sa.DateTime(timezone=True)


def sites(roles: str = "") -> str:
    """The row's site is one where the person has one of these roles; none given: any role."""
    asked = f"scoped_sites_as('{{{roles}}}')" if roles else "scoped_sites()"
    return f"site_id = any ((select {asked})::bigint[])"


IS_OWN = "reviewer_id = (select current_user_id())"
OWN_WORK = f"{sites(DECIDERS)} and {IS_OWN}"
OWN_BULK = f"exists (select from bulk_review b where b.id = bulk_review_id and b.{IS_OWN})"
OWN_STUDY = f"study_id = any ((select scoped_studies())::bigint[]) and {IS_OWN}"
POLICIES = {
    # The review's own policy decides in the subquery: criteria are masked and hidden as their review is.
    "review_criterion": {
        "select": f"using ({sites()} and exists (select from review r where r.id = review_id))",
        "insert": (
            f"with check ({sites(DECIDERS)} and exists (select from review r where r.id = review_id and r.{IS_OWN}))"
        ),
    },
    "review_draft": {
        "select": f"using ({OWN_WORK})",
        "insert": f"with check ({OWN_WORK})",
        "update": f"using ({OWN_WORK}) with check ({OWN_WORK})",
        "delete": f"using ({OWN_WORK})",
    },
    "scan_claim": {
        "select": f"using ({sites(DECIDERS)})",
        "insert": f"with check ({OWN_WORK})",
        "update": f"using ({OWN_WORK}) with check ({OWN_WORK})",
        "delete": f"using ({OWN_WORK})",
    },
    "bulk_review": {
        "select": f"using (({OWN_STUDY}) or study_id = any ((select whole_studies_as('{{{OVERSEERS}}}'))::bigint[]))",
        "insert": f"with check ({OWN_STUDY} and state = 'sampling')",
        "update": f"using ({OWN_STUDY} and ended_at is null) with check ({OWN_STUDY})",
    },
    "bulk_review_scan": {
        "select": f"using ({sites(LOOKERS)} and exists (select from bulk_review b where b.id = bulk_review_id))",
        "insert": f"with check ({sites(DECIDERS)} and {OWN_BULK})",
        "update": f"using ({sites(DECIDERS)} and {OWN_BULK}) with check ({sites(DECIDERS)} and {OWN_BULK})",
    },
}
GRANTS = (
    "select, insert on review_criterion, review_draft, scan_claim, bulk_review, bulk_review_scan",
    "update (document, seen_version, updated_at) on review_draft",
    "update (since_at, seen_at) on scan_claim",
    "delete on review_draft, scan_claim",
    "update (state, ended_at) on bulk_review",
    "update (looked_at, mark, left_out) on bulk_review_scan",
)
SAME_SITE = {
    "review_criterion": {"review_id": "review"},
    "review_draft": {"scan_id": "scan"},
    "scan_claim": {"scan_id": "scan"},
    "bulk_review_scan": {"scan_id": "scan"},
}
"""Columns that name a row of the same site."""
OPEN_REQUEST = "state not in ('closed', 'not_possible', 'withdrawn')"


def same_site_function(table: str, parents: dict[str, str]) -> str:
    """A trigger function that compares the row's site with that of every row it names."""
    checks = "\n".join(
        f"  if not exists (select from {parent} p where p.id = new.{column} and p.site_id = new.site_id) then\n"
        f"    raise exception using errcode = 'check_violation',\n"
        f"      message = '{table}.{column} names a row of another site';\n  end if;"
        for column, parent in parents.items()
    )
    return (
        f"create function {table}_stays_in_its_site() returns trigger {DEFINER} as $function$\nbegin\n{checks}\n"
        "  return new;\nend\n$function$"
    )


def upgrade() -> None:
    """Apply."""
    make_bulk_reviews()
    make_drafts_and_claims()
    extend_reviews()
    make_criteria()
    for table, commands in POLICIES.items():
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
        for command, clauses in commands.items():
            op.execute(f"create policy dashboard_{command} on {table} for {command} to octaudit_dashboard {clauses}")
        op.execute(f"create policy owner_all on {table} to octaudit_owner using (true) with check (true)")
    for grant in GRANTS:
        op.execute(f"grant {grant} to octaudit_dashboard")
    for table, parents in SAME_SITE.items():
        op.execute(same_site_function(table, parents))
        op.execute(
            f"create trigger stays_in_its_site before insert or update of site_id, {', '.join(parents)} on {table} "
            f"for each row execute function {table}_stays_in_its_site()"
        )
    op.execute(
        "create trigger stays_as_written before update or delete or truncate on review_criterion "
        "for each statement execute function stays_as_written()"
    )
    index_open_requests(OPEN_REQUEST)


def index_open_requests(is_open: str) -> None:
    """One open request per capture."""
    op.drop_index("uq_reacquisition_request_open", table_name="reacquisition_request")
    op.create_index(
        "uq_reacquisition_request_open",
        "reacquisition_request",
        ["acquisition_id"],
        unique=True,
        postgresql_where=sa.text(is_open),
    )


def column(name: str, kind: sa.types.TypeEngine[object], *, is_nullable: bool = False) -> sa.Column[object]:
    """A column without a default."""
    return sa.Column(name, kind, nullable=is_nullable)


def foreign_key(table: str, name: str, parent: str) -> sa.ForeignKeyConstraint:
    """A foreign key under its name by convention."""
    return sa.ForeignKeyConstraint([name], [f"{parent}.id"], name=op.f(f"fk_{table}_{name}_{parent}"))


def make_bulk_reviews() -> None:
    """Lists accepted in bulk, with their scans."""
    op.create_table(
        "bulk_review",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        column("study_id", sa.BigInteger()),
        column("reviewer_id", sa.BigInteger()),
        column("state", sa.String()),
        column("filters", postgresql.JSONB(astext_type=sa.Text())),
        column("seed", sa.BigInteger()),
        column("ended_at", MOMENT, is_nullable=True),
        sa.Column("created_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("state in ('sampling', 'accepting', 'done', 'stopped')", name=op.f("ck_bulk_review_state")),
        sa.CheckConstraint(
            "(state in ('done', 'stopped')) = (ended_at is not null)", name=op.f("ck_bulk_review_ended_at")
        ),
        foreign_key("bulk_review", "study_id", "study"),
        foreign_key("bulk_review", "reviewer_id", "app_user"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_review")),
    )
    for name in ("study_id", "reviewer_id"):
        op.create_index(op.f(f"ix_bulk_review_{name}"), "bulk_review", [name], unique=False)
    op.create_table(
        "bulk_review_scan",
        column("bulk_review_id", sa.BigInteger()),
        column("scan_id", sa.BigInteger()),
        column("seen_version", sa.BigInteger()),
        column("sample_number", sa.BigInteger(), is_nullable=True),
        column("looked_at", MOMENT, is_nullable=True),
        column("mark", sa.String(), is_nullable=True),
        sa.Column("left_out", sa.String(), server_default="", nullable=False),
        column("site_id", sa.BigInteger()),
        sa.CheckConstraint("mark in ('agree', 'disagree')", name=op.f("ck_bulk_review_scan_mark")),
        sa.CheckConstraint(
            "mark is null or (sample_number is not null and looked_at is not null)",
            name=op.f("ck_bulk_review_scan_looked_at"),
        ),
        foreign_key("bulk_review_scan", "bulk_review_id", "bulk_review"),
        foreign_key("bulk_review_scan", "scan_id", "scan"),
        foreign_key("bulk_review_scan", "site_id", "site"),
        sa.PrimaryKeyConstraint("bulk_review_id", "scan_id", name=op.f("pk_bulk_review_scan")),
        sa.UniqueConstraint(
            "bulk_review_id", "sample_number", name=op.f("uq_bulk_review_scan_bulk_review_id_sample_number")
        ),
    )
    for name in ("scan_id", "site_id"):
        op.create_index(op.f(f"ix_bulk_review_scan_{name}"), "bulk_review_scan", [name], unique=False)


def make_drafts_and_claims() -> None:
    """The form as it was left, and who has a scan open."""
    own = {
        "review_draft": (
            column("document", postgresql.JSONB(astext_type=sa.Text())),
            column("seen_version", sa.BigInteger()),
            column("updated_at", MOMENT),
        ),
        "scan_claim": (column("since_at", MOMENT), column("seen_at", MOMENT)),
    }
    for table, columns in own.items():
        op.create_table(
            table,
            column("reviewer_id", sa.BigInteger()),
            column("scan_id", sa.BigInteger()),
            *columns,
            column("site_id", sa.BigInteger()),
            foreign_key(table, "reviewer_id", "app_user"),
            foreign_key(table, "scan_id", "scan"),
            foreign_key(table, "site_id", "site"),
            sa.PrimaryKeyConstraint("reviewer_id", "scan_id", name=op.f(f"pk_{table}")),
        )
        for name in ("scan_id", "site_id"):
            op.create_index(op.f(f"ix_{table}_{name}"), table, [name], unique=False)


def extend_reviews() -> None:
    """What a review replaced, the version it made, what it undoes and the bulk that it is part of."""
    op.add_column("review", column("replaced", postgresql.JSONB(astext_type=sa.Text()), is_nullable=True))
    for name in ("scan_version", "undoes_id", "bulk_review_id"):
        op.add_column("review", column(name, sa.BigInteger(), is_nullable=True))
    op.create_foreign_key(op.f("fk_review_undoes_id_review"), "review", "review", ["undoes_id"], ["id"])
    op.create_foreign_key(
        op.f("fk_review_bulk_review_id_bulk_review"), "review", "bulk_review", ["bulk_review_id"], ["id"]
    )
    op.create_check_constraint(op.f("ck_review_undoes_id"), "review", "(decision = 'undo') = (undoes_id is not null)")
    op.drop_index(op.f("ix_review_reviewer_id"), table_name="review")
    op.create_index("ix_review_reviewer_id_id", "review", ["reviewer_id", "id"], unique=False)
    op.create_index(
        "uq_review_undoes_id",
        "review",
        ["undoes_id"],
        unique=True,
        postgresql_where=sa.text("undoes_id is not null"),
    )
    op.create_index(
        "ix_review_bulk_review_id",
        "review",
        ["bulk_review_id"],
        unique=False,
        postgresql_where=sa.text("bulk_review_id is not null"),
    )


def make_criteria() -> None:
    """The letters of the review form."""
    op.create_table(
        "review_criterion",
        column("review_id", sa.BigInteger()),
        column("code", sa.String()),
        column("is_passed", sa.Boolean()),
        column("site_id", sa.BigInteger()),
        foreign_key("review_criterion", "review_id", "review"),
        foreign_key("review_criterion", "site_id", "site"),
        sa.PrimaryKeyConstraint("review_id", "code", name=op.f("pk_review_criterion")),
    )
    op.create_index(op.f("ix_review_criterion_site_id"), "review_criterion", ["site_id"], unique=False)


def downgrade() -> None:
    """Undo. The release before reads neither an undo nor a withdrawn request: the audit trail keeps what they were."""
    op.drop_table("review_criterion")
    for table in ("review", "reacquisition_step"):
        op.execute(f"alter table {table} disable trigger stays_as_written")
    op.execute("delete from review where decision = 'undo'")
    op.execute("update reacquisition_request set state = 'not_possible' where state = 'withdrawn'")
    op.execute("update reacquisition_step set state = 'not_possible' where state = 'withdrawn'")
    for table in ("review", "reacquisition_step"):
        op.execute(f"alter table {table} enable trigger stays_as_written")
    index_open_requests("state not in ('closed', 'not_possible')")
    op.drop_constraint(op.f("ck_review_undoes_id"), "review", type_="check")
    op.drop_index("ix_review_bulk_review_id", table_name="review")
    op.drop_index("uq_review_undoes_id", table_name="review")
    op.drop_index("ix_review_reviewer_id_id", table_name="review")
    op.create_index(op.f("ix_review_reviewer_id"), "review", ["reviewer_id"], unique=False)
    for name in ("bulk_review_id", "undoes_id", "scan_version", "replaced"):
        op.drop_column("review", name)
    for table in ("scan_claim", "review_draft", "bulk_review_scan", "bulk_review"):
        op.drop_table(table)
    for table in SAME_SITE:
        op.execute(f"drop function {table}_stays_in_its_site()")
