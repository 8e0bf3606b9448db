"""Row-level security on every table with a site or study, the grants of each role, and what no role may do.

The dashboard's policies ask which sites and studies the session's grants reach (previous revision). The array form
``site_id = any ((select scoped_sites()))`` is an index condition; a join to a grant table filters the whole walk.
The owner's policy is open (migrations, pg_dump --enable-row-security, the functions that run with its rights); FORCE
keeps the tables closed to an owner that had none. Roles: contracts.md and docs/roles.md.
"""

from collections.abc import Iterator, Sequence

from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

UPLOADERS = ("site_technician", "qc_technician")
DECIDERS = ("qc_technician", "adjudicator")
GRADERS = (*DECIDERS, "grader")
KEEPERS = ("manager", "admin")
SEES_FILE_NAMES = (*UPLOADERS, *KEEPERS)
SEES_EVENTS = ("site_technician", *DECIDERS, *KEEPERS)


def sites(*roles: str) -> str:
    """The row's site is one where the person has one of these roles; none given: any role."""
    asked = f"scoped_sites_as('{{{','.join(roles)}}}')" if roles else "scoped_sites()"
    return f"site_id = any ((select {asked})::bigint[])"


def studies(*roles: str, column: str = "study_id") -> str:
    """The row's study is one where the person has one of these roles for every site."""
    return f"{column} = any ((select whole_studies_as('{{{','.join(roles)}}}'))::bigint[])"


IS_OWN = "= (select current_user_id())"
IS_ADMIN = "(select is_global_admin())"

# What the dashboard's role may do: {table: {command: (using, with check)}}. No entry: not at all.
DASHBOARD: dict[str, dict[str, tuple[str | None, str | None]]] = {
    table: {"select": (sites(), None)}
    for table in ("assessment", "assessment_artifact", "assessment_reason", "rate")
} | {
    "rate_delta": {"select": (sites(), None), "insert": (None, sites(*UPLOADERS, *GRADERS))},
    "subject": {"select": (sites(), None), "insert": (None, sites(*UPLOADERS))},
    "visit": {"select": (sites(), None), "insert": (None, sites(*UPLOADERS))},
    "expected_scan": {
        "select": (sites(), None),
        "insert": (None, sites(*UPLOADERS)),
        "update": (sites(*UPLOADERS, *GRADERS), sites(*UPLOADERS, *GRADERS)),
    },
    "batch": {
        "select": (sites(), None),
        "insert": (None, f"{sites(*UPLOADERS)} and uploaded_by_id {IS_OWN}"),
        "update": (sites(*UPLOADERS), sites(*UPLOADERS)),
    },
    "batch_file": {
        "select": (sites(*SEES_FILE_NAMES), None),
        "insert": (None, sites(*UPLOADERS)),
        "update": (sites(*UPLOADERS), sites(*UPLOADERS)),
        "delete": (f"{sites(*UPLOADERS)} and state is null", None),
    },
    "acquisition": {
        "select": (sites(), None),
        "insert": (None, sites(*UPLOADERS)),
        "update": (sites(*UPLOADERS, *GRADERS), sites(*UPLOADERS, *GRADERS)),
    },
    # A grader may lock a scan while grading it (USING) and change nothing of it (CHECK). A site may close those of
    # its scans whose replacement it cannot take, and no others. A manager may queue again or close those that could
    # not be scored.
    "scan": {
        "select": (sites(), None),
        "insert": (None, f"{sites(*UPLOADERS)} and state in ('received', 'queued') and human_ordinal is null "
                         "and final_verdict is null and assessment_id is null"),
        "update": (
            f"{sites(*GRADERS)} or ({sites('site_technician')} and state = 'reacquisition_requested') "
            f"or ({sites(*KEEPERS)} and state in ('failed', 'quarantined'))",
            f"{sites(*DECIDERS)} or ({sites('site_technician')} and state = 'closed_not_possible') "
            f"or ({sites(*KEEPERS)} and state in ('queued', 'closed_not_possible') and human_ordinal is null "
            "and final_verdict is null)",
        ),
    },
    # A masked grade is hidden from the other graders until somebody who may adjudicate looks.
    "review": {
        "select": (f"{sites()} and (not is_masked or reviewer_id {IS_OWN} or {sites('adjudicator', *KEEPERS)})", None),
        "insert": (
            None,
            f"reviewer_id {IS_OWN} and ({sites(*DECIDERS)} or ({sites('grader')} and decision = 'grade'))",
        ),
    },
    "reacquisition_request": {
        "select": (sites(), None),
        "insert": (None, f"{sites(*DECIDERS)} and requested_by_id {IS_OWN}"),
        "update": (sites(*UPLOADERS, *DECIDERS), sites(*UPLOADERS, *DECIDERS)),
    },
    "reacquisition_step": {
        "select": (sites(), None),
        "insert": (None, f"{sites(*UPLOADERS, *DECIDERS)} and (actor_id is null or actor_id {IS_OWN})"),
    },
    "device": {
        "select": (sites(), None),
        "insert": (None, sites(*KEEPERS)),
        "update": (sites(*KEEPERS), sites(*KEEPERS)),
    },
    "technician": {
        "select": (sites(), None),
        "insert": (None, sites(*KEEPERS)),
        "update": (sites(*KEEPERS), sites(*KEEPERS)),
    },
    # A row that the statement itself inserts is not yet in scoped_sites(): RETURNING needs the second half.
    "site": {
        "select": (f"id = any ((select scoped_sites())::bigint[]) or {studies('admin')}", None),
        "insert": (None, studies("admin")),
        "update": (studies("admin"), studies("admin")),
    },
    "study": {
        "select": (f"id = any ((select scoped_studies())::bigint[]) or {IS_ADMIN}", None),
        "insert": (None, IS_ADMIN),
        "update": (studies("admin", column="id"), studies("admin", column="id")),
    },
    "protocol_version": {
        "select": ("study_id = any ((select scoped_studies())::bigint[])", None),
        "insert": (None, studies("admin")),
    },
    "annotation": {
        "select": (f"study_id = any ((select scoped_studies())::bigint[]) and (site_id is null or {sites()})", None),
        "insert": (None, f"{studies(*KEEPERS)} or (site_id is not null and {sites(*KEEPERS)})"),
    },
    "audit_event": {
        "select": (
            f"case when site_id is not null then {sites(*SEES_EVENTS)} "
            f"when study_id is not null then {studies(*KEEPERS)} else {IS_ADMIN} end",
            None,
        ),
        "insert": (
            None,
            f"actor_id {IS_OWN} and (site_id is null or {sites()}) "
            "and (study_id is null or study_id = any ((select scoped_studies())::bigint[]))",
        ),
    },
    "app_user": {"select": ("id = any ((select scoped_users())::bigint[])", None)},
}

CLOSED = ("session", "site_grant", "audit_seal")
"""Tables under row-level security that the dashboard's role may not touch at all."""
GLOBAL = ("blob", "model_version")
"""Tables that carry no site and name no one."""

USER_COLUMNS = "id, name, display_name, disabled_at, created_at"
COUNTED = "is_counted_received, is_counted_decided, is_counted_gradable"
GRANTS = {
    "octaudit_dashboard": {
        "select": [*(table for table in DASHBOARD if table != "app_user"), *GLOBAL],
        f"select ({USER_COLUMNS})": ["app_user"],
        "insert": [*(table for table, commands in DASHBOARD.items() if "insert" in commands), "blob"],
        "delete": ["batch_file"],
        "update (submitted_at)": ["batch"],
        "update (entry, problems, state, scan_id, image_sha256, width_px, height_px, text_regions)": ["batch_file"],
        "update (first_received_at)": ["expected_scan"],
        f"update ({COUNTED}, replaces_id)": ["acquisition"],
        "update (state, version, human_ordinal, final_verdict, attempts, not_before_at, failure)": ["scan"],
        "update (state, version, due_on, replacement_id, closed_at)": ["reacquisition_request"],
        "update (manufacturer, model, serial, software_version)": ["device"],
        "update (name, user_id)": ["technician"],
        "update (name, country)": ["site"],
        "update (name)": ["study"],
    },
    "octaudit_worker": {
        "select": [*(table for table in DASHBOARD if table not in {"app_user", "audit_event"}), *GLOBAL],
        f"select ({USER_COLUMNS})": ["app_user"],
        "insert": [
            "assessment", "assessment_artifact", "assessment_reason", "audit_event", "blob", "model_version", "rate",
            "rate_delta", "reacquisition_request", "reacquisition_step",
        ],
        "delete": ["assessment_reason", "batch", "batch_file", "blob", "rate", "rate_delta"],
        "update": ["scan"],
        "update (inherited_ordinal, inherited_from_id, verdict)": ["assessment"],
        "update (n)": ["rate"],
        "update (submitted_at)": ["batch"],
        "update (first_received_at)": ["expected_scan"],
        f"update ({COUNTED}, replaces_id)": ["acquisition"],
        "update (state, version, due_on, replacement_id, closed_at)": ["reacquisition_request"],
    },
    "octaudit_sealer": {"select": ["audit_event", "audit_seal"], "insert": ["audit_seal"]},
}  # fmt: skip
OPEN_TO = {
    "octaudit_owner": (*DASHBOARD, *CLOSED),
    "octaudit_worker": tuple(DASHBOARD),
    "octaudit_sealer": ("audit_event", "audit_seal"),
}
"""Policies that hold back no row: what these roles may do is decided by their grants alone."""
ONLY_DRAFTS = {"batch": "submitted_at is null", "batch_file": "state is null"}
"""What the worker's role may delete of these tables: drafts that nobody submitted."""


def policies() -> Iterator[str]:
    """Every CREATE POLICY statement."""
    for table, commands in DASHBOARD.items():
        for command, (using, check) in commands.items():
            clauses = (f" using ({using})" if using else "") + (f" with check ({check})" if check else "")
            yield f"create policy dashboard_{command} on {table} for {command} to octaudit_dashboard{clauses}"
    for role, tables in OPEN_TO.items():
        for table in tables:
            name = role.removeprefix("octaudit_")
            yield f"create policy {name}_all on {table} to {role} using (true) with check (true)"
    for table, using in ONLY_DRAFTS.items():
        yield f"create policy worker_drafts on {table} as restrictive for delete to octaudit_worker using ({using})"


def upgrade() -> None:
    """Apply."""
    for table in (*DASHBOARD, *CLOSED):
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
    for statement in policies():
        op.execute(statement)
    op.execute("revoke all on schema public from public")
    op.execute(f"grant usage on schema public to {', '.join(GRANTS)}")
    for role, grants in GRANTS.items():
        for privilege, tables in grants.items():
            op.execute(f"grant {privilege} on {', '.join(tables)} to {role}")
        op.execute(f"grant select on alembic_version to {role}")


def downgrade() -> None:
    """Undo."""
    for table in (*DASHBOARD, *CLOSED):
        for role in OPEN_TO:
            op.execute(f"drop policy if exists {role.removeprefix('octaudit_')}_all on {table}")
        op.execute(f"drop policy if exists worker_drafts on {table}")
        for command in DASHBOARD.get(table, {}):
            op.execute(f"drop policy dashboard_{command} on {table}")
        op.execute(f"alter table {table} no force row level security")
        op.execute(f"alter table {table} disable row level security")
    for role in GRANTS:
        op.execute(f"revoke all on all tables in schema public from {role}")
        op.execute(f"revoke usage on schema public from {role}")
