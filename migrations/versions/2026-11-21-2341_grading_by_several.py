"""Masked grading by several people, checks of what the model accepted, and calibration of reviewers.

What was drawn and handed out is the reading centre's: adjudicators, managers and administrators read it. A grader
reaches the own open scans by functions, which do not tell whether one comes back a second time. The worker draws and
hands out; it asks a function who may grade at a site, because the grants are closed to it. Only the adjudicator to
whom a scan was given settles it, and never one who has graded it or whose own work it is. Revision 0018, after 0017.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0018"
down_revision: str | None = "0017"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

JUDGES = "adjudicator,manager,admin"
REVIEWERS = "qc_technician,adjudicator"
KEEPERS = "manager,admin"
DEFINER = "security definer set search_path = public, pg_temp"
IS_OWN = "= (select current_user_id())"


def sites(roles: str) -> str:
    """The row's site is one where the person has one of these roles."""
    return f"site_id = any ((select scoped_sites_as('{{{roles}}}'))::bigint[])"


def studies(roles: str) -> str:
    """The row's study is one where the person has one of these roles for every site."""
    return f"study_id = any ((select whole_studies_as('{{{roles}}}'))::bigint[])"


POLICIES = {
    "grading": {
        "select": f"using ({sites(JUDGES)})",
        "update": (
            f"using ({sites('adjudicator')} and adjudicator_id {IS_OWN} and state = 'to_adjudicate') "
            f"with check ({sites('adjudicator')} and adjudicator_id {IS_OWN} and settled_by_id {IS_OWN} "
            "and state = 'settled')"
        ),
    },
    "grading_assignment": {"select": f"using ({sites(JUDGES)})"},
    "accepted_check": {
        "select": f"using ({sites(REVIEWERS + ',' + KEEPERS)})",
        # Who settles a grading may call for a check; what else is checked is drawn.
        "insert": f"with check ({sites('adjudicator')} and cause = 'consensus' and state = 'open')",
    },
    "reviewer_calibration": {
        "select": (
            f"using ({studies(KEEPERS)} or (user_id {IS_OWN} and study_id = any ((select scoped_studies())::bigint[])))"
        ),
        "insert": f"with check ({studies(KEEPERS)} and started_by_id {IS_OWN} and ended_at is null)",
        "update": f"using ({studies(KEEPERS)} and ended_at is null) with check ({studies(KEEPERS)})",
    },
}
SETTLED = "state, is_senior_check, adjudicator_id, consensus_ordinal, settlement, settled_at"
GRANTS = (
    "select on grading, grading_assignment, accepted_check, reviewer_calibration to octaudit_dashboard",
    "update (state, consensus_ordinal, settlement, settled_by_id, settled_at, reason) on grading to octaudit_dashboard",
    "insert on accepted_check, reviewer_calibration to octaudit_dashboard",
    "update (ended_at) on reviewer_calibration to octaudit_dashboard",
    "select, insert on grading, grading_assignment, accepted_check to octaudit_worker",
    f"update ({SETTLED}) on grading to octaudit_worker",
    "update (state) on grading_assignment to octaudit_worker",
)
SAME_SITE = {
    "grading": {"scan_id": "scan"},
    "grading_assignment": {"grading_id": "grading", "scan_id": "scan", "repeat_of_id": "grading_assignment"},
    "accepted_check": {"scan_id": "scan", "assessment_id": "assessment", "review_id": "review"},
}
"""Columns that name a row of the same site."""

OWN_WORK = """
  if exists (select from scan s
             join batch b on b.id = s.batch_id
             join acquisition a on a.id = s.acquisition_id
             left join technician t on t.id = a.technician_id
             where s.id = new.scan_id and new.{person} in (b.uploaded_by_id, t.user_id)) then
    raise exception using errcode = 'insufficient_privilege',
      message = 'whoever acquired or uploaded a scan cannot grade, check or settle it';
  end if;
"""
TRIGGERS = {
    "grading_is_settled_by_another": (
        "grading",
        "before insert or update of settled_by_id",
        "settled_by_id",
        """
  {own_work}
  if exists (select from grading_assignment a where a.grading_id = new.id and a.grader_id = new.settled_by_id)
     or exists (select from review r where r.scan_id = new.scan_id and r.reviewer_id = new.settled_by_id
                and r.decision = 'grade') then
    raise exception using errcode = 'insufficient_privilege',
      message = 'whoever graded a scan cannot settle it';
  end if;
""",
    ),
    "assignment_is_not_of_own_work": (
        "grading_assignment",
        "before insert",
        "grader_id",
        "{own_work}",
    ),
}
OPEN_AND_OWN = "a.grader_id = current_user_id() and a.state = 'open' and a.site_id = any (scoped_sites_as('{grader}'))"
FUNCTIONS = {
    # A repeat looks like any other scan here; nothing says that it is one.
    "own_grading_work(n_most bigint)": (
        f"returns table (id bigint, scan_id bigint, due_on date) language sql stable {DEFINER}",
        """
        select a.id, a.scan_id, a.due_on from grading_assignment a where {open_and_own}
        order by a.due_on, a.id limit n_most
        """,
    ),
    "own_grading_progress(today date)": (
        f"returns table (n_open bigint, n_overdue bigint, n_done bigint) language sql stable {DEFINER}",
        """
        select count(*) filter (where {open_and_own}), count(*) filter (where {open_and_own} and a.due_on < today),
               count(*) filter (where a.state = 'done')
        from grading_assignment a where a.grader_id = current_user_id()
        """,
    ),
    "lock_own_grading(assignment bigint)": (
        f"returns table (scan_id bigint, is_repeat boolean) language sql volatile {DEFINER}",
        """
        select a.scan_id, a.repeat_of_id is not null from grading_assignment a
        where a.id = assignment and {open_and_own} for update
        """,
    ),
    "finish_own_repeat(assignment bigint, given bigint, at timestamptz)": (
        f"returns boolean language plpgsql volatile {DEFINER}",
        """
        begin
          update grading_assignment a set state = 'done', ordinal = given, done_at = at
          where a.id = assignment and a.repeat_of_id is not null and {open_and_own};
          return found;
        end
        """,
    ),
    "calibrated_sites()": (
        f"returns bigint[] language sql stable {DEFINER}",
        """
        select coalesce(array_agg(s.id), '{}') from site s
        where s.id = any (scoped_sites_as('{qc_technician}'))
          and not s.id = any (scoped_sites_as('{adjudicator,manager,admin}'))
          and (exists (select from reviewer_calibration c
                       where c.user_id = current_user_id() and c.study_id = s.study_id and c.ended_at is null)
               or coalesce((select (v.document -> 'grading' ->> 'hides_model')::boolean from protocol_version v
                            where v.study_id = s.study_id and v.effective_at <= statement_timestamp()
                            order by v.effective_at desc, v.number desc limit 1), false))
        """,
    ),
    "reviewers_of_study(of_study bigint)": (
        f"returns table (id bigint, display_name text) language sql stable {DEFINER}",
        """
        select u.id, u.display_name::text from app_user u
        where of_study = any (whole_studies_as('{manager,admin}')) and u.disabled_at is null and exists (
          select from site_grant g where g.user_id = u.id and g.revoked_at is null and g.role = 'qc_technician'
            and (g.expires_at is null or g.expires_at > statement_timestamp()) and g.study_id = of_study)
        order by u.display_name, u.id
        """,
    ),
    # Whoever has a second role at the site would see more of the scan than its pixels: no masked grades from them.
    "people_to_grade(at_site bigint)": (
        f"returns table (user_id bigint, role text) language sql stable {DEFINER}",
        """
        with live as (
          select distinct g.user_id, g.role::text as role from site_grant g
          join app_user u on u.id = g.user_id and u.disabled_at is null
          join site s on s.id = at_site
          where g.revoked_at is null and (g.expires_at is null or g.expires_at > statement_timestamp())
            and (g.study_id is null or g.study_id = s.study_id) and (g.site_id is null or g.site_id = s.id))
        select l.user_id, l.role from live l
        where l.role = 'adjudicator'
           or (l.role = 'grader' and not exists (select from live o where o.user_id = l.user_id and o.role <> 'grader'))
        """,
    ),
}
# A masked grade finishes the grader's part wherever it was given: on the own list, on the scan's page, by a program.
FINISHES_PART = """
  update grading_assignment a set state = 'done', ordinal = new.ordinal, done_at = new.created_at
  where a.grader_id = new.reviewer_id and a.scan_id = new.scan_id and a.state = 'open' and a.repeat_of_id is null;
"""
# So does a person's decision answer the check of an accepted scan, on whatever page it was made.
ANSWERS_CHECK = """
  update accepted_check c set state = case when new.ordinal > 0 then 'confirmed' else 'overturned' end,
    ordinal = new.ordinal, checked_by_id = new.reviewer_id, checked_at = new.created_at, review_id = new.id
  where c.scan_id = new.scan_id and c.state = 'open';
"""
REOPENS_CHECK = """
  update accepted_check c set state = 'open', ordinal = null, checked_by_id = null, checked_at = null, review_id = null
  where c.scan_id = new.scan_id and c.review_id = new.undoes_id;
"""
ON_REVIEW = {
    "grade_finishes_part": ("new.decision = 'grade' and new.is_masked", FINISHES_PART),
    "decision_answers_check": ("new.decision in ('accept', 'override') and new.ordinal is not null", ANSWERS_CHECK),
    "undo_reopens_check": ("new.undoes_id is not null", REOPENS_CHECK),
}
FOR_WORKER = {"people_to_grade(at_site bigint)"}


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
    make_gradings()
    make_assignments()
    make_checks()
    make_calibrations()
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
    for name, (table, occasion, person, body) in TRIGGERS.items():
        checks = body.replace("{own_work}", OWN_WORK.replace("{person}", person))
        op.execute(
            f"create function {name}() returns trigger language plpgsql {DEFINER} as $function$\nbegin\n{checks}\n"
            "  return new;\nend\n$function$"
        )
        op.execute(f"create trigger {name} {occasion} on {table} for each row execute function {name}()")
    for name, (condition, body) in ON_REVIEW.items():
        op.execute(
            f"create function {name}() returns trigger language plpgsql {DEFINER} as $function$\nbegin{body}"
            "  return null;\nend\n$function$"
        )
        op.execute(
            f"create trigger {name} after insert on review for each row when ({condition}) execute function {name}()"
        )
    for declaration, (returns, body) in FUNCTIONS.items():
        asked = body.replace("{open_and_own}", OPEN_AND_OWN)
        op.execute(f"create function {declaration} {returns} as $function${asked}$function$")
        op.execute(f"revoke all on function {signature(declaration)} from public")
        role = "worker" if declaration in FOR_WORKER else "dashboard"
        op.execute(f"grant execute on function {signature(declaration)} to octaudit_{role}")


def columns_of(*named: sa.Column[object]) -> tuple[sa.Column[object], ...]:
    """Id first, then these, then when the row was written."""
    created = sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False), *named, created


def keys_of(table: str, **parents: str) -> tuple[sa.schema.SchemaItem, ...]:
    """The primary key, and a foreign key from each column to the id of its table."""
    return (
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        *(
            sa.ForeignKeyConstraint([column], [f"{parent}.id"], name=op.f(f"fk_{table}_{column}_{parent}"))
            for column, parent in parents.items()
        ),
    )


def whole(name: str, *, is_nullable: bool = False) -> sa.Column[int]:
    """A column of whole numbers."""
    return sa.Column(name, sa.BigInteger(), nullable=is_nullable)


def moment(name: str) -> sa.Column[object]:
    """A moment that has not come yet for every row."""
    return sa.Column(name, sa.DateTime(timezone=True), nullable=True)


def make_gradings() -> None:
    """What was drawn to be graded by several, and its consensus."""
    op.create_table(
        "grading",
        *columns_of(
            *(whole(name) for name in ("site_id", "scan_id", "protocol_version_id", "n_graders")),
            sa.Column("state", sa.String(), nullable=False),
            sa.Column("is_senior_check", sa.Boolean(), server_default="false", nullable=False),
            *(whole(name, is_nullable=True) for name in ("adjudicator_id", "consensus_ordinal")),
            sa.Column("settlement", sa.String(), nullable=True),
            whole("settled_by_id", is_nullable=True),
            moment("settled_at"),
            sa.Column("reason", sa.String(), server_default="", nullable=False),
        ),
        sa.CheckConstraint(
            "state in ('drawn', 'assigned', 'to_adjudicate', 'settled')", name=op.f("ck_grading_state")
        ),
        sa.CheckConstraint(
            "(state = 'settled') = (consensus_ordinal is not null and settlement is not null "
            "and settled_at is not null)",
            name=op.f("ck_grading_settled"),
        ),
        sa.CheckConstraint("settlement in ('agreement', 'adjudication')", name=op.f("ck_grading_settlement")),
        sa.CheckConstraint(
            "settlement is null or (settlement = 'adjudication') = (settled_by_id is not null)",
            name=op.f("ck_grading_settled_by"),
        ),
        *keys_of(
            "grading", site_id="site", scan_id="scan", protocol_version_id="protocol_version",
            adjudicator_id="app_user", settled_by_id="app_user",
        ),
        sa.UniqueConstraint("scan_id", name=op.f("uq_grading_scan_id")),
    )  # fmt: skip
    op.create_index(
        "ix_grading_unsettled", "grading", ["site_id", "state", "id"], postgresql_where=sa.text("state <> 'settled'")
    )
    op.create_index("ix_grading_site_id_id", "grading", ["site_id", "id"])


def make_assignments() -> None:
    """Who grades what, and the repeats."""
    table = "grading_assignment"
    op.create_table(
        table,
        *columns_of(
            *(whole(name) for name in ("site_id", "grading_id", "scan_id", "grader_id")),
            whole("repeat_of_id", is_nullable=True),
            sa.Column("is_to_repeat", sa.Boolean(), server_default="false", nullable=False),
            sa.Column("state", sa.String(), nullable=False),
            sa.Column("due_on", sa.Date(), nullable=False),
            whole("ordinal", is_nullable=True),
            moment("done_at"),
        ),
        sa.CheckConstraint("state in ('open', 'done', 'withdrawn')", name=op.f("ck_grading_assignment_state")),
        sa.CheckConstraint(
            "(state = 'done') = (ordinal is not null and done_at is not null)", name=op.f("ck_grading_assignment_done")
        ),
        *keys_of(
            table, site_id="site", grading_id="grading", scan_id="scan", grader_id="app_user",
            repeat_of_id="grading_assignment",
        ),
    )  # fmt: skip
    op.create_index(
        "uq_grading_assignment_grader", table, ["grading_id", "grader_id"], unique=True,
        postgresql_where=sa.text("repeat_of_id is null and state <> 'withdrawn'"),
    )  # fmt: skip
    op.create_index(
        "uq_grading_assignment_repeat", table, ["repeat_of_id"], unique=True,
        postgresql_where=sa.text("repeat_of_id is not null and state <> 'withdrawn'"),
    )  # fmt: skip
    op.create_index("ix_grading_assignment_grading_id", table, ["grading_id"])
    op.create_index(
        "ix_grading_assignment_open", table, ["grader_id", "due_on", "id"], postgresql_where=sa.text("state = 'open'")
    )
    op.create_index(
        "ix_grading_assignment_to_repeat", table, ["done_at"],
        postgresql_where=sa.text("is_to_repeat and state = 'done'"),
    )  # fmt: skip
    op.create_index("ix_grading_assignment_grader_id_done_at", table, ["grader_id", "done_at"])
    op.create_index(
        "ix_grading_assignment_site_id_id", table, ["site_id", "id"],
        postgresql_where=sa.text("repeat_of_id is not null"),
    )  # fmt: skip
    op.create_index("ix_grading_assignment_site_id_created_at", table, ["site_id", "created_at"])


def make_checks() -> None:
    """Scans that the model accepted and a person checks."""
    op.create_table(
        "accepted_check",
        *columns_of(
            *(whole(name) for name in ("site_id", "scan_id", "assessment_id")),
            sa.Column("cause", sa.String(), nullable=False),
            sa.Column("state", sa.String(), nullable=False),
            *(whole(name, is_nullable=True) for name in ("ordinal", "checked_by_id", "review_id")),
            moment("checked_at"),
        ),
        sa.CheckConstraint("cause in ('sample', 'consensus')", name=op.f("ck_accepted_check_cause")),
        sa.CheckConstraint("state in ('open', 'confirmed', 'overturned')", name=op.f("ck_accepted_check_state")),
        sa.CheckConstraint(
            "(state = 'open') = (ordinal is null) and (state = 'open') = (checked_by_id is null) "
            "and (state = 'open') = (checked_at is null)",
            name=op.f("ck_accepted_check_checked"),
        ),
        *keys_of(
            "accepted_check",
            site_id="site",
            scan_id="scan",
            assessment_id="assessment",
            checked_by_id="app_user",
            review_id="review",
        ),
        sa.UniqueConstraint("scan_id", name=op.f("uq_accepted_check_scan_id")),
    )
    op.create_index(
        "ix_accepted_check_open", "accepted_check", ["site_id", "id"], postgresql_where=sa.text("state = 'open'")
    )
    op.create_index("ix_accepted_check_site_id_id", "accepted_check", ["site_id", "id"])


def make_calibrations() -> None:
    """Reviewers who grade before they see the model's grade."""
    op.create_table(
        "reviewer_calibration",
        *columns_of(
            *(whole(name) for name in ("study_id", "user_id", "started_by_id")),
            sa.Column("reason", sa.String(), nullable=False),
            moment("ended_at"),
        ),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_reviewer_calibration_reason")),
        *keys_of("reviewer_calibration", study_id="study", user_id="app_user", started_by_id="app_user"),
    )
    op.create_index(
        "uq_reviewer_calibration_standing", "reviewer_calibration", ["study_id", "user_id"], unique=True,
        postgresql_where=sa.text("ended_at is null"),
    )  # fmt: skip


def downgrade() -> None:
    """Undo."""
    for name in ON_REVIEW:
        op.execute(f"drop trigger {name} on review")
        op.execute(f"drop function {name}()")
    for declaration in reversed(FUNCTIONS):
        op.execute(f"drop function {signature(declaration)}")
    for table in ("reviewer_calibration", "accepted_check", "grading_assignment", "grading"):
        op.drop_table(table)
    for name in TRIGGERS:
        op.execute(f"drop function {name}()")
    for table in SAME_SITE:
        op.execute(f"drop function {table}_stays_in_its_site()")
