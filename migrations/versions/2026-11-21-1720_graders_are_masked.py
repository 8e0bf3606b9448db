"""Who is a site's grader and nothing else there sees of a scan the pixels alone, until they have graded it themselves.

So far the rows of assessment, scan, acquisition and the like were open to every role of the site, so that a masked
grade was masked by good manners only. Now these rows exist for a grader from the own grade on. What is still to be
graded comes through one function, ``scan_to_grade``, that gives the image and nothing that was concluded from it.
Counts stay closed to graders: one fresh row of a rate tells the grade of the scan behind it. Masked grades also stood
in the audit trail, where a site could read them; there they are open to the same people as in the reviews.

A previous release goes on to run; its pages then show a grader fewer rows.

Revision 0009, after 0008.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

SQL = "language sql stable security definer set search_path = public, pg_temp"
DECIDERS = ("qc_technician", "adjudicator")
KEEPERS = ("manager", "admin")
UNMASKED = ("site_technician", *DECIDERS, *KEEPERS)
SEES_EVENTS = UNMASKED
IS_OWN = "= (select current_user_id())"


def sites(*roles: str) -> str:
    """The row's site is one where the person has one of these roles; none given: any role."""
    asked = f"scoped_sites_as('{{{','.join(roles)}}}')" if roles else "scoped_sites()"
    return f"site_id = any ((select {asked})::bigint[])"


def unmasked_or(is_graded: str) -> str:
    """The site is in reach, and the person is more than a grader there or has graded what the row is about.

    The first half alone would do for nobody; it stays because it is the index condition.
    """
    return f"{sites()} and ({sites(*UNMASKED)} or {is_graded})"


FUNCTIONS = {
    "own_graded_scans()": (
        f"returns bigint[] {SQL}",
        """
        select coalesce(array_agg(distinct r.scan_id), '{}') from review r
        where r.reviewer_id = current_user_id() and r.decision = 'grade'
        """,
    ),
    # Own work is refused by the caller in words, and by a trigger on the review in any case.
    "scan_to_grade(asked bigint)": (
        (
            "returns table (scan_id bigint, site_id bigint, study_id bigint, kind text, slab text, "
            "image_sha256 text, width_px bigint, height_px bigint, uploaded_by_id bigint, acquired_by_id bigint) "
            f"{SQL}"
        ),
        """
        select s.id, s.site_id, i.study_id, s.kind, s.slab, s.image_sha256, s.width_px, s.height_px,
               b.uploaded_by_id, t.user_id
        from scan s
        join site i on i.id = s.site_id
        join batch b on b.id = s.batch_id
        join acquisition a on a.id = s.acquisition_id
        left join technician t on t.id = a.technician_id
        where s.id = asked
          and (is_operator() or s.site_id = any (scoped_sites_as('{grader,qc_technician,adjudicator}')))
        """,
    ),
}

OWN_GRADED = "any ((select own_graded_scans())::bigint[])"
READS = {
    "scan": unmasked_or(f"id = {OWN_GRADED}"),
    "assessment": unmasked_or(f"scan_id = {OWN_GRADED}"),
    "assessment_artifact": unmasked_or("exists (select from assessment a where a.id = assessment_id)"),
    "assessment_reason": unmasked_or("exists (select from assessment a where a.id = assessment_id)"),
    "acquisition": unmasked_or("exists (select from scan s where s.acquisition_id = acquisition.id)"),
    "reacquisition_request": unmasked_or(f"scan_id = {OWN_GRADED}"),
    "reacquisition_step": unmasked_or("exists (select from reacquisition_request r where r.id = request_id)"),
    "rate": sites(*UNMASKED),
    "rate_delta": sites(*UNMASKED),
    "review": (
        f"{unmasked_or(f'reviewer_id {IS_OWN} or scan_id = {OWN_GRADED}')} "
        f"and (not is_masked or reviewer_id {IS_OWN} or {sites('adjudicator', *KEEPERS)})"
    ),
    "audit_event": (
        f"case when site_id is not null then {sites(*SEES_EVENTS)} "
        f"and (action <> 'scan.graded_masked' or actor_id {IS_OWN} or {sites('adjudicator', *KEEPERS)}) "
        "when study_id is not null then study_id = any ((select whole_studies_as('{manager,admin}'))::bigint[]) "
        "else (select is_global_admin()) end"
    ),
}
FORMER_READS = dict.fromkeys(READS, sites()) | {
    "review": f"{sites()} and (not is_masked or reviewer_id {IS_OWN} or {sites('adjudicator', *KEEPERS)})",
    "audit_event": (
        f"case when site_id is not null then {sites(*SEES_EVENTS)} "
        "when study_id is not null then study_id = any ((select whole_studies_as('{manager,admin}'))::bigint[]) "
        "else (select is_global_admin()) end"
    ),
}


def upgrade() -> None:
    """Apply."""
    for declaration, (returns, body) in FUNCTIONS.items():
        name = declaration.replace("asked ", "")
        op.execute(f"create function {declaration} {returns} as $function${body}$function$")
        op.execute(f"revoke all on function {name} from public")
        op.execute(f"grant execute on function {name} to octaudit_dashboard")
    for table, using in READS.items():
        op.execute(f"alter policy dashboard_select on {table} using ({using})")


def downgrade() -> None:
    """Undo."""
    for table, using in FORMER_READS.items():
        op.execute(f"alter policy dashboard_select on {table} using ({using})")
    for declaration in FUNCTIONS:
        op.execute(f"drop function {declaration.replace('asked ', '')}")
