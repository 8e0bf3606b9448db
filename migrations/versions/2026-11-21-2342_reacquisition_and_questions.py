"""A request has an owner and says how its replacement was found; questions are threads; a capture is marked as best.

Questions and answers stood in the reviews alone, one at a time; they are copied into threads. What a technician may
learn of others is one function that gives the median of at least five units and nothing of any one of them. A link
between a replacement and its request is undone by the reading centre alone, which a trigger holds.

The previous release goes on to run: it leaves owners empty and writes no messages.

Revision 0019, after 0018.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0019"
down_revision: str | None = "0018"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

DEFINER = "security definer set search_path = public, pg_temp"
UNMASKED = "site_technician,qc_technician,adjudicator,manager,admin"
DECIDERS = "qc_technician,adjudicator"
IS_OWN = "= (select current_user_id())"
REQUEST_COLUMNS = "owner_id, received_at, is_link_found"


def sites(roles: str) -> str:
    """The row's site is one where the person has one of these roles."""
    return f"site_id = any ((select scoped_sites_as('{{{roles}}}'))::bigint[])"


POLICIES = {
    "query_message": {
        "select": f"using ({sites(UNMASKED)})",
        "insert": (
            f"with check (author_id {IS_OWN} and ({sites(DECIDERS)} or ({sites('site_technician')} and side = 'site')))"
        ),
    },
    "query_seen": {
        "select": f"using ({sites(UNMASKED)} and user_id {IS_OWN})",
        "insert": f"with check ({sites(UNMASKED)} and user_id {IS_OWN})",
        "update": f"using ({sites(UNMASKED)} and user_id {IS_OWN}) with check ({sites(UNMASKED)} and user_id {IS_OWN})",
    },
    "best_capture": {
        "select": f"using ({sites(UNMASKED)})",
        "insert": f"with check ({sites(DECIDERS)} and chosen_by_id {IS_OWN})",
    },
}
GRANTS = (
    "select, insert on query_message, query_seen, best_capture to octaudit_dashboard",
    "update (message_id, seen_at) on query_seen to octaudit_dashboard",
    "select on query_message, best_capture to octaudit_worker",
    f"update ({REQUEST_COLUMNS}) on reacquisition_request to octaudit_dashboard, octaudit_worker",
)
SAME_SITE = {
    "query_message": {"scan_id": "scan"},
    "query_seen": {"scan_id": "scan", "message_id": "query_message"},
    "best_capture": {"expected_scan_id": "expected_scan", "acquisition_id": "acquisition"},
}
"""Columns that name a row of the same site."""
UNCHANGEABLE = ("query_message", "best_capture")
TRIGGERS = {
    "request_owner_is_of_its_site": (
        """
        if new.owner_id is not null
           and not exists (select from technician t where t.id = new.owner_id and t.site_id = new.site_id) then
          raise exception using errcode = 'check_violation',
            message = 'reacquisition_request.owner_id names a technician of another site';
        end if;
        return new;
        """,
        "before insert or update of site_id, owner_id on reacquisition_request for each row",
    ),
    # Without a token (worker, operator) current_user_id() is NULL.
    "link_is_undone_by_the_centre": (
        f"""
        if current_user_id() is not null
           and not new.site_id = any (scoped_sites_as('{{{DECIDERS}}}')) then
          raise exception using errcode = 'insufficient_privilege',
            message = 'only the reading centre takes a replacement off its request';
        end if;
        return new;
        """,
        (
            "before update of replacement_id on reacquisition_request for each row "
            "when (old.replacement_id is not null and new.replacement_id is null)"
        ),
    ),
    "best_capture_is_of_its_slot": (
        """
        if new.acquisition_id is not null and not exists (
             select from acquisition a
             where a.id = new.acquisition_id and a.expected_scan_id = new.expected_scan_id) then
          raise exception using errcode = 'check_violation',
            message = 'best_capture.acquisition_id names a capture of another expected scan';
        end if;
        if exists (select from acquisition a
                   left join technician t on t.id = a.technician_id
                   where a.id = new.acquisition_id and t.user_id = new.chosen_by_id)
           or exists (select from scan s join batch b on b.id = s.batch_id
                      where s.acquisition_id = new.acquisition_id and b.uploaded_by_id = new.chosen_by_id) then
          raise exception using errcode = 'insufficient_privilege',
            message = 'whoever acquired or uploaded a scan cannot choose it';
        end if;
        return new;
        """,
        "before insert on best_capture for each row",
    ),
}
"""Function -> its body, and when it runs."""

# Units: technicians, or sites, with at least 30 decided first captures (core.statistics.funnel.MIN_COUNTED); weeks are
# read from the packed series as core.store.packed writes them: five numbers a week, the 2nd decided, the 3rd gradable.
NUMBER = (
    "(get_byte(s.tallies, 20 * w + {0}) | (get_byte(s.tallies, 20 * w + {0} + 1) << 8) "
    "| (get_byte(s.tallies, 20 * w + {0} + 2) << 16) | (get_byte(s.tallies, 20 * w + {0} + 3) << 24))"
)
MEDIAN = (
    "first_pass_median(asked_study bigint, asked_grain text, starts_on date, ends_on date)",
    f"returns table (median float8, low float8, high float8, n_units bigint) language sql stable {DEFINER}",
    f"""
    with counted as (
      select case asked_grain when 'technician' then c.technician_id else c.site_id end as unit,
             {NUMBER.format(4)} as decided, {NUMBER.format(8)} as gradable
      from rate_cell c
      join site i on i.id = c.site_id and i.study_id = asked_study
      join rate_series s on s.cell_id = c.id and s.scan_type = ''
      cross join lateral generate_series(
        greatest(0, (first_pass_median.starts_on - s.starts_on) / 7),
        least(octet_length(s.tallies) / 20, (ends_on - s.starts_on) / 7) - 1) w
      where c.grain = asked_grain
      union all
      select case asked_grain when 'technician' then d.technician_id else d.site_id end,
             case d.measure when 'decided' then d.n else 0 end, case d.measure when 'gradable' then d.n else 0 end
      from rate_delta d
      join site i on i.id = d.site_id and i.study_id = asked_study
      where d.measure in ('decided', 'gradable') and d.week_on >= first_pass_median.starts_on and d.week_on < ends_on
    ), unit as (
      select sum(gradable)::float8 / sum(decided) as rate from counted
      where unit is not null group by unit having sum(decided) >= 30
    ), summed as (
      select percentile_cont(0.5) within group (order by rate) as median,
             percentile_cont(0.75) within group (order by rate)
               - percentile_cont(0.25) within group (order by rate) as middle_half, count(*) as n
      from unit
    )
    select median, greatest(0, median - 1.82 * middle_half / sqrt(n)),
           least(1, median + 1.82 * middle_half / sqrt(n)), n
    from summed
    where n >= 5 and asked_grain in ('technician', 'site')
      and extract(isodow from first_pass_median.starts_on) = 1
      and ends_on - first_pass_median.starts_on in (91, 182, 364)
      and exists (select from site i where i.study_id = asked_study
                  and i.id = any (scoped_sites_as('{{{UNMASKED}}}')))
    """,  # noqa: S608 - nothing but constants of this module
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
    change_requests()
    make_threads()
    make_choices()
    secure()
    declaration, returns, body = MEDIAN
    op.execute(f"create function {declaration} {returns} as $function${body}$function$")
    op.execute("revoke all on function first_pass_median(bigint, text, date, date) from public")
    op.execute("grant execute on function first_pass_median(bigint, text, date, date) to octaudit_dashboard")


def change_requests() -> None:
    """Owner, moment of receipt, how the link came about; steps that are no moves."""
    op.add_column("reacquisition_request", sa.Column("owner_id", sa.BigInteger(), nullable=True))
    op.add_column("reacquisition_request", sa.Column("received_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "reacquisition_request",
        sa.Column("is_link_found", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.create_foreign_key(
        op.f("fk_reacquisition_request_owner_id_technician"),
        "reacquisition_request",
        "technician",
        ["owner_id"],
        ["id"],
    )
    op.create_index(
        "ix_reacquisition_request_site_id_created_at", "reacquisition_request", ["site_id", "created_at"], unique=False
    )
    op.create_index(
        op.f("ix_reacquisition_request_acquisition_id"), "reacquisition_request", ["acquisition_id"], unique=False
    )
    op.add_column("reacquisition_step", sa.Column("kind", sa.String(), server_default="move", nullable=False))
    op.create_check_constraint(
        op.f("ck_reacquisition_step_kind"), "reacquisition_step", "kind in ('move', 'assign', 'unlink')"
    )
    op.execute(
        """
        update reacquisition_request r
        set owner_id = (select t.id from acquisition a join technician t on t.id = a.technician_id
                        where a.id = r.acquisition_id and t.deactivated_at is null),
            received_at = (select min(s.created_at) from reacquisition_step s
                           where s.request_id = r.id and s.state = 'received')
        """
    )


def columns_of(*named: sa.Column[object]) -> tuple[sa.Column[object], ...]:
    """Id first, then these, then when the row was written."""
    created = sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False), *named, created


def make_threads() -> None:
    """Questions and answers, with those that there are, and how far each person has read."""
    op.create_table(
        "query_message",
        *columns_of(
            *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("site_id", "scan_id", "author_id")),
            *(sa.Column(name, sa.String(), nullable=False) for name in ("side", "act", "text")),
        ),
        sa.CheckConstraint(
            "act in ('question', 'answer', 'remark', 'resolved', 'reopened')", name=op.f("ck_query_message_act")
        ),
        sa.CheckConstraint(
            "side in ('centre', 'site') and (act <> 'answer' or side = 'site') "
            "and (act not in ('question', 'resolved', 'reopened') or side = 'centre')",
            name=op.f("ck_query_message_side"),
        ),
        sa.CheckConstraint("text <> '' or act = 'resolved'", name=op.f("ck_query_message_text")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_query_message_site_id_site")),
        sa.ForeignKeyConstraint(["scan_id"], ["scan.id"], name=op.f("fk_query_message_scan_id_scan")),
        sa.ForeignKeyConstraint(["author_id"], ["app_user.id"], name=op.f("fk_query_message_author_id_app_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_query_message")),
    )
    op.create_index("ix_query_message_scan_id_id", "query_message", ["scan_id", "id"], unique=False)
    op.create_index("ix_query_message_site_id_created_at", "query_message", ["site_id", "created_at"], unique=False)
    op.execute(
        """
        insert into query_message (site_id, scan_id, author_id, side, act, text, created_at)
        select site_id, scan_id, reviewer_id, case decision when 'query' then 'centre' else 'site' end,
               case decision when 'query' then 'question' else 'answer' end, reason, created_at
        from review where decision in ('query', 'answer') and reason <> '' order by id
        """
    )
    op.create_table(
        "query_seen",
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("user_id", "scan_id", "site_id", "message_id")),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_query_seen_user_id_app_user")),
        sa.ForeignKeyConstraint(["scan_id"], ["scan.id"], name=op.f("fk_query_seen_scan_id_scan")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_query_seen_site_id_site")),
        sa.ForeignKeyConstraint(
            ["message_id"], ["query_message.id"], name=op.f("fk_query_seen_message_id_query_message")
        ),
        sa.PrimaryKeyConstraint("user_id", "scan_id", name=op.f("pk_query_seen")),
    )
    op.create_index(op.f("ix_query_seen_site_id"), "query_seen", ["site_id"], unique=False)


def make_choices() -> None:
    """Which capture of an expected scan counts as the best."""
    op.create_table(
        "best_capture",
        *columns_of(
            sa.Column("site_id", sa.BigInteger(), nullable=False),
            sa.Column("expected_scan_id", sa.BigInteger(), nullable=False),
            sa.Column("acquisition_id", sa.BigInteger(), nullable=True),
            sa.Column("chosen_by_id", sa.BigInteger(), nullable=False),
            sa.Column("reason", sa.String(), nullable=False),
        ),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_best_capture_reason")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_best_capture_site_id_site")),
        sa.ForeignKeyConstraint(
            ["expected_scan_id"], ["expected_scan.id"], name=op.f("fk_best_capture_expected_scan_id_expected_scan")
        ),
        sa.ForeignKeyConstraint(
            ["acquisition_id"], ["acquisition.id"], name=op.f("fk_best_capture_acquisition_id_acquisition")
        ),
        sa.ForeignKeyConstraint(["chosen_by_id"], ["app_user.id"], name=op.f("fk_best_capture_chosen_by_id_app_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_best_capture")),
    )
    op.create_index(op.f("ix_best_capture_site_id"), "best_capture", ["site_id"], unique=False)
    op.create_index("ix_best_capture_expected_scan_id_id", "best_capture", ["expected_scan_id", "id"], unique=False)


def secure() -> None:
    """Policies, grants and triggers."""
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
    for name, (body, when) in TRIGGERS.items():
        op.execute(
            f"create function {name}() returns trigger language plpgsql {DEFINER} as $function$begin{body}end$function$"
        )
        op.execute(f"create trigger {name} {when} execute function {name}()")


def downgrade() -> None:
    """Undo."""
    op.execute("drop function first_pass_median(bigint, text, date, date)")
    for table in ("query_seen", "query_message", "best_capture"):
        op.drop_table(table)
    for table in SAME_SITE:
        op.execute(f"drop function {table}_stays_in_its_site()")
    for name in TRIGGERS:
        op.execute(f"drop function {name}() cascade")
    op.drop_constraint(op.f("ck_reacquisition_step_kind"), "reacquisition_step", type_="check")
    op.drop_column("reacquisition_step", "kind")
    op.drop_index(op.f("ix_reacquisition_request_acquisition_id"), table_name="reacquisition_request")
    op.drop_index("ix_reacquisition_request_site_id_created_at", table_name="reacquisition_request")
    op.drop_constraint(
        op.f("fk_reacquisition_request_owner_id_technician"), "reacquisition_request", type_="foreignkey"
    )
    for column in REQUEST_COLUMNS.split(", "):
        op.drop_column("reacquisition_request", column)
