"""Who is more than a grader wherever they may look is told so once for a statement, not once for a row.

Since graders are masked (0009) each row of a scan, score or request was looked up in two lists of sites, one after
the other: at 300 sites nine tenths of the time that a statement over many rows took. Now the second list is only
asked for a person who also has a role that it does not know. And the median of technicians cut every week of every
series out of storage anew.

The tracker's lists and the latest masked grades are answered by indexes alone. The previous release goes on to run.

Revision 0032, after 0031.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0032"
down_revision: str | None = "0031"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

SQL = "language sql stable security definer set search_path = public, pg_temp"
UNMASKED = "site_technician,qc_technician,adjudicator,manager,admin"
OVERSEERS = "adjudicator,manager,admin"
IS_OWN = "= (select current_user_id())"
IS_GRADED = "any ((select own_graded_scans())::bigint[])"

# True of a person without any role, too: the list of sites before it is empty then.
HOLDS_ONLY = (
    "holds_only(roles text[])",
    f"returns boolean {SQL}",
    "select not exists (select from own_grants() g where not g.role = any (roles))",
)


def sites(roles: str = "") -> str:
    """The row's site is one where the person has one of these roles; none given: any role."""
    asked = f"scoped_sites_as('{{{roles}}}')" if roles else "scoped_sites()"
    return f"site_id = any ((select {asked})::bigint[])"


def only(roles: str) -> str:
    """All roles that the person has, wherever, are among these: asked once for a statement."""
    return f"(select holds_only('{{{roles}}}'))"


def policies(at_once: bool) -> dict[str, str]:
    """Who reads what, by table. ``at_once``: what can be told of the person is asked before the row's site is."""

    def has(roles: str) -> str:
        return f"{only(roles)} or {sites(roles)}" if at_once else sites(roles)

    def unmasked_or(is_graded: str) -> str:
        # The first part alone would do for nobody; it stays because it is the index condition.
        return f"{sites()} and ({has(UNMASKED)} or {is_graded})"

    return {
        "scan": unmasked_or(f"id = {IS_GRADED}"),
        "assessment": unmasked_or(f"scan_id = {IS_GRADED}"),
        "assessment_artifact": unmasked_or("exists (select from assessment a where a.id = assessment_id)"),
        "assessment_reason": unmasked_or("exists (select from assessment a where a.id = assessment_id)"),
        "acquisition": unmasked_or("exists (select from scan s where s.acquisition_id = acquisition.id)"),
        "reacquisition_request": unmasked_or(f"scan_id = {IS_GRADED}"),
        "reacquisition_step": unmasked_or("exists (select from reacquisition_request r where r.id = request_id)"),
        "review": (
            f"{unmasked_or(f'reviewer_id {IS_OWN} or scan_id = {IS_GRADED}')} "
            f"and (not is_masked or reviewer_id {IS_OWN} or {has(OVERSEERS)})"
        ),
    }


MEDIAN = "first_pass_median(asked_study bigint, asked_grain text, starts_on date, ends_on date)"
MEDIAN_RETURNS = f"returns table (median float8, low float8, high float8, n_units bigint) {SQL}"
WIDTH = 20
"""Bytes of a week in rate_series.tallies, as core.store.packed writes them: five numbers, the 2nd decided, the 3rd
gradable."""


def number(stored: str, place: int) -> str:
    """The number at this byte of a week ``w``."""
    parts = (f"(get_byte({stored}, {WIDTH} * w + {place + each}) << {8 * each})" for each in range(4))
    return f"({' | '.join(parts)})"


# Weeks of one cell, from ``first`` on. Cut at once: get_byte fetches what is stored outside the row at every call.
CUT = f"""
      join lateral (
        select substring(s.tallies, {WIDTH} * first + 1, {WIDTH} * greatest(0, last - first)) as weeks
        from (select greatest(0, (first_pass_median.starts_on - s.starts_on) / 7) as first,
                     least(octet_length(s.tallies) / {WIDTH}, (ends_on - s.starts_on) / 7) as last) border
        offset 0) cut on true
      cross join lateral generate_series(0, octet_length(cut.weeks) / {WIDTH} - 1) w"""  # noqa: S608 - nothing but constants of this module
WHOLE = f"""
      cross join lateral generate_series(
        greatest(0, (first_pass_median.starts_on - s.starts_on) / 7),
        least(octet_length(s.tallies) / {WIDTH}, (ends_on - s.starts_on) / 7) - 1) w"""


def median(weeks: str, stored: str) -> str:
    """The function's body, with the weeks ``w`` of ``stored`` that it adds up."""
    return f"""
    with counted as (
      select case asked_grain when 'technician' then c.technician_id else c.site_id end as unit,
             {number(stored, 4)} as decided, {number(stored, 8)} as gradable
      from rate_cell c
      join site i on i.id = c.site_id and i.study_id = asked_study
      join rate_series s on s.cell_id = c.id and s.scan_type = ''{weeks}
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
    """  # noqa: S608 - nothing but constants of this module


def upgrade() -> None:
    """Apply."""
    declaration, returns, body = HOLDS_ONLY
    op.execute(f"create function {declaration} {returns} as $function${body}$function$")
    op.execute("revoke all on function holds_only(text[]) from public")
    op.execute("grant execute on function holds_only(text[]) to octaudit_dashboard")
    for table, using in policies(at_once=True).items():
        op.execute(f"alter policy dashboard_select on {table} using ({using})")
    op.execute(
        f"create or replace function {MEDIAN} {MEDIAN_RETURNS} as $function${median(CUT, 'cut.weeks')}$function$"
    )
    make_masked(["site_id", "scan_id", "reviewer_id", "decision", "ordinal", "is_masked"])
    op.drop_index("ix_reacquisition_request_site_id_created_at", "reacquisition_request")
    op.create_index(
        "ix_reacquisition_request_site_id_created_at", "reacquisition_request", ["site_id", "created_at"],
        postgresql_include=["id", "scan_id", "acquisition_id", "state", "due_on", "received_at", "closed_at"],
    )  # fmt: skip
    op.create_index(
        "ix_reacquisition_request_site_id_closed_at", "reacquisition_request",
        ["site_id", sa.text("coalesce(closed_at, 'infinity'::timestamptz)")],
        postgresql_include=["id", "scan_id", "state", "due_on", "closed_at"],
    )  # fmt: skip


def make_masked(covered: Sequence[str]) -> None:
    """Replace the index of the masked grades."""
    op.drop_index("ix_review_masked", "review")
    op.create_index(
        "ix_review_masked", "review", ["id"], postgresql_include=list(covered), postgresql_where=sa.text("is_masked")
    )


def downgrade() -> None:
    """Take back."""
    make_masked([])
    for name in ("ix_reacquisition_request_site_id_closed_at", "ix_reacquisition_request_site_id_created_at"):
        op.drop_index(name, "reacquisition_request")
    op.create_index("ix_reacquisition_request_site_id_created_at", "reacquisition_request", ["site_id", "created_at"])
    body = median(WHOLE, "s.tallies")
    op.execute(f"create or replace function {MEDIAN} {MEDIAN_RETURNS} as $function${body}$function$")
    for table, using in policies(at_once=False).items():
        op.execute(f"alter policy dashboard_select on {table} using ({using})")
    op.execute("drop function holds_only(text[])")
