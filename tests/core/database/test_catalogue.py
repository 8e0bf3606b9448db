"""What the database's own catalogue says of security: alembic check does not see policies and grants."""

from builders import make_batch, make_site
from sqlalchemy import delete, select, text

from core.database import migrate
from core.database.roles import ROLE_NAMES, DatabaseRole
from core.database.session import Database, open_database, role_faults, session_scope
from core.database.tables import Batch
from core.settings import Settings

USER = "id, name, display_name, disabled_at, created_at"
SUBSCRIPTION = "id, created_at, user_id, study_id, channel, wanted, url, ended_at"
COUNTED = "is_counted_received, is_counted_decided, is_counted_gradable, counted_findings, replaces_id"
CONFIRMATION = "code_sha256, attempts, due_at, sent_at, expires_at, error, ended_at"
REPORT = "state, attempts, due_at, error, made_at, versions, n_pages, content_sha256, pdf_sha256"
PLAN = "planned_on, window_ends_on, called_off_at, called_off_reason"
REQUEST = "state, version, due_on, replacement_id, closed_at, owner_id, received_at, is_link_found"

# Per table what each role may do: S select, I insert, U update, D delete; columns in brackets. Nothing else is allowed.
# fmt: off
EXPECTED: dict[str, dict[str, str]] = {
    "accepted_check":        {"dashboard": "S I", "worker": "S I"},
    "acquisition":           {"dashboard": f"S I U({COUNTED})", "worker": f"S U({COUNTED})"},
    "action":                {"dashboard": "S I U(state, closed_at)", "worker": "S"},
    "action_step":           {"dashboard": "S I"},
    "alembic_version":       {"dashboard": "S", "worker": "S", "sealer": "S"},
    "alert":                 {"dashboard": "S", "worker": "S I D U(ended_at)"},
    "alert_delivery":        {"dashboard": "S", "worker": "S I D U(state, attempts, due_at, sent_at, error)"},
    "alert_subscription":    {"dashboard": f"S({SUBSCRIPTION}) I U(wanted, ended_at)", "worker": "S"},
    "annotation":            {"dashboard": "S I U(withdrawn_at)", "worker": "S"},
    "api_client":            {},
    "api_token":             {},
    "app_user":              {"dashboard": f"S({USER})", "worker": f"S({USER}, email)"},
    "assessment":            {"dashboard": "S", "worker": "S I U(inherited_ordinal, inherited_from_id, verdict)"},
    "assessment_artifact":   {"dashboard": "S", "worker": "S I"},
    "assessment_picture":    {"dashboard": "S", "worker": "S I"},
    "assessment_reason":     {"dashboard": "S", "worker": "S I D"},
    "audit_check":           {"dashboard": "S", "sealer": "S I"},
    "audit_event":           {"dashboard": "S I", "worker": "I", "sealer": "S"},
    "audit_seal":            {"sealer": "S I"},
    "batch":                 {"dashboard": "S I U(submitted_at)", "worker": "S D U(submitted_at)"},
    "batch_file":            {"dashboard": "S I D U(entry, problems, state, scan_id, image_sha256, width_px, height_px, "
                                           "text_regions, volume_sha256)", "worker": "S D"},
    "best_capture":          {"dashboard": "S I", "worker": "S"},
    "blob":                  {"dashboard": "S I", "worker": "S I D"},
    "bulk_review":           {"dashboard": "S I U(state, ended_at)"},
    "bulk_review_scan":      {"dashboard": "S I U(looked_at, mark, left_out)"},
    "certificate":           {"dashboard": "S I U(state, certified_at, expires_on, ended_at)",
                              "worker": "S U(state, ended_at)"},
    "certificate_evidence":  {"dashboard": "S I", "worker": "S"},
    "certificate_step":      {"dashboard": "S I", "worker": "S I"},
    "device":                {"dashboard": "S I U(manufacturer, model, serial, software_version, deactivated_at)", "worker": "S"},
    "dicom_source":          {"dashboard": "S I"},
    "email_confirmation":    {"worker": f"S D U({CONFIRMATION})"},
    "expected_scan":         {"dashboard": "S I U(first_received_at) D", "worker": "S U(first_received_at)"},
    "faz_outline":           {"dashboard": "S I", "worker": "S"},
    "flag_acknowledgement":  {"dashboard": "S I", "worker": "S U(ended_at)"},
    "fovea_mark":            {"dashboard": "S I", "worker": "S"},
    "grading":               {"dashboard": "S U(state, consensus_ordinal, settlement, settled_by_id, settled_at, reason)",
                              "worker": "S I U(state, is_senior_check, adjudicator_id, consensus_ordinal, settlement, "
                                        "settled_at)"},
    "grading_assignment":    {"dashboard": "S", "worker": "S I U(state)"},
    "identity_provider":     {},
    "mask_round":            {"dashboard": "S I"},
    "model_activation":      {"dashboard": "S I U(ended_at, ended_by_id, end_reason)", "worker": "S"},
    "model_version":         {"dashboard": "S", "worker": "S I U(stored_sha256, kind)"},
    "protocol_version":      {"dashboard": "S I", "worker": "S"},
    "query_message":         {"dashboard": "S I", "worker": "S"},
    "query_seen":            {"dashboard": "S I U(message_id, seen_at)"},
    "rate":                  {"dashboard": "S", "worker": "S I D U(n)"},
    "rate_cell":             {"dashboard": "S", "worker": "S I D"},
    "rate_delta":            {"dashboard": "S I", "worker": "S I D"},
    "rate_series":           {"dashboard": "S", "worker": "S I U D"},
    "rate_sum":              {"dashboard": "S", "worker": "S I U D"},
    "rate_term":             {"dashboard": "S", "worker": "S I D"},
    "re_evaluation":         {"dashboard": "S I U(state, ended_at)",
                              "worker": "S U(state, done_up_to, started_at, ended_at)"},
    "re_evaluation_scan":    {"dashboard": "S", "worker": "S I"},
    "reacquisition_request": {"dashboard": f"S I U({REQUEST})", "worker": f"S I U({REQUEST})"},
    "reacquisition_step":    {"dashboard": "S I", "worker": "S I"},
    "report":                {"dashboard": "S I", "worker": f"S I U({REPORT})"},
    "report_recipient":      {"dashboard": "S I D", "worker": "S"},
    "report_schedule":       {"dashboard": "S I U(paused_at, ended_at, next_at)", "worker": "S U(next_at)"},
    "report_sending":        {"dashboard": "S", "worker": "S I U(state, attempts, due_at, sent_at, error)"},
    "rescoring":             {"dashboard": "S I U(state, ended_at, adopted_at, adopted_by_id, adoption_reason)",
                              "worker": "S U(state, started_at, ended_at, adoption_ended_at)"},
    "rescoring_scan":        {"dashboard": "S I",
                              "worker": "S U(state, attempts, leased_by, lease_expires_at, failure, assessment_id, "
                                        "outcome, former_assessment_id)"},
    "review":                {"dashboard": "S I", "worker": "S"},
    "review_criterion":      {"dashboard": "S I"},
    "review_draft":          {"dashboard": "S I D U(document, seen_version, updated_at)"},
    "reviewer_calibration":  {"dashboard": "S I U(ended_at)"},
    "scan":                  {"dashboard": "S I U(state, version, human_ordinal, final_verdict, attempts, "
                                           "worker_losses, not_before_at, failure)", "worker": "S U"},
    "scan_claim":            {"dashboard": "S I D U(since_at, seen_at)"},
    "session":               {},
    "signed_baseline":       {"dashboard": "S", "worker": "S"},
    "shared_image":          {"dashboard": "S", "worker": "S I"},
    "site":                  {"dashboard": "S I U(name, country, deactivated_at)", "worker": "S"},
    "site_grant":            {},
    "study":                 {"dashboard": "S I U(name)", "worker": "S"},
    "subject":               {"dashboard": "S I", "worker": "S"},
    "technician":            {"dashboard": "S I U(name, user_id, deactivated_at)", "worker": "S"},
    "user_identity":         {},
    "wanted_mask":           {"dashboard": "S I U(mask_sha256, imported_at, imported_by_id)", "worker": "S"},
    "worker_hour":           {"dashboard": "S", "worker": "S I D U(n_scored, n_failed, n_lost, seconds)"},
    "worker_process":        {"dashboard": "S", "worker": "S I D U(beaten_at, ended_at, facts)"},
    "visit":                 {"dashboard": f"S I U({PLAN})", "worker": "S"},
}
# fmt: on
WITHOUT_ROW_SECURITY = {"alembic_version", "blob", "model_version", "rate_term"}
"""No site, no study, no person in them."""
PROGRAM_FUNCTIONS = (
    "session_id, own_grants, may_grant, answerable_for, count_wrong_password, note_failed_login, is_proven, "
    "is_identity_proven"
)
WORKER_FUNCTIONS = "may_be_told, people_to_grade, may_get_report, end_expired_sessions"


def rights_from_words(words: str) -> dict[str, frozenset[str]]:
    """{"S": all columns (empty set), "U": {"n"}} of "S U(n)"."""
    rights: dict[str, frozenset[str]] = {}
    for part in words.replace(", ", ",").split():
        letter, _, columns = part.rstrip(")").partition("(")
        rights[letter] = frozenset(columns.split(",")) if columns else frozenset()
    return rights


def granted(database: Database) -> dict[str, dict[str, dict[str, frozenset[str]]]]:
    """Table -> role -> letter -> columns (empty: the whole table), as PostgreSQL's catalogue has it."""
    whole = text(
        "select c.relname, a.grantee::regrole::text, a.privilege_type from pg_class c, "
        "aclexplode(c.relacl) a where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')"
    )
    by_column = text(
        "select c.relname, x.grantee::regrole::text, x.privilege_type, a.attname from pg_class c "
        "join pg_attribute a on a.attrelid = c.oid, aclexplode(a.attacl) x "
        "where c.relnamespace = 'public'::regnamespace"
    )
    found: dict[str, dict[str, dict[str, frozenset[str]]]] = {}
    with database.engine.connect() as connection:
        for table, role, privilege in connection.execute(whole):
            if role != DatabaseRole.OWNER:
                found.setdefault(table, {}).setdefault(role, {})[letter_of(privilege)] = frozenset()
        for table, role, privilege, column in connection.execute(by_column):
            rights = found.setdefault(table, {}).setdefault(role, {})
            rights[letter_of(privilege)] = rights.get(letter_of(privilege), frozenset()) | {column}
    return found


def letter_of(privilege: str) -> str:
    return {"SELECT": "S", "INSERT": "I", "UPDATE": "U", "DELETE": "D"}.get(privilege, privilege)


def tables_of(database: Database) -> set[str]:
    with database.engine.connect() as connection:
        query = "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
        return set(connection.execute(text(query)).scalars())


def test_tables_and_migrations_do_not_differ(settings: Settings) -> None:
    migrate.check(settings)


def test_the_migrations_can_be_undone_and_applied_again(settings: Settings, owner_database: Database) -> None:
    migrate.downgrade(settings, "base")
    assert tables_of(owner_database) == {"alembic_version"}
    with owner_database.engine.connect() as connection:
        left = connection.execute(text("select proname from pg_proc where pronamespace = 'public'::regnamespace"))
        assert left.all() == []
    migrate.upgrade(settings)
    current, newest = migrate.revisions(owner_database)
    assert current == newest
    migrate.check(settings)


def test_every_table_is_listed_with_its_grants_and_has_exactly_those(owner_database: Database) -> None:
    assert tables_of(owner_database) == set(EXPECTED)
    expected = {
        table: {f"octaudit_{role}": rights_from_words(words) for role, words in roles.items()}
        for table, roles in EXPECTED.items()
        if roles
    }
    assert granted(owner_database) == expected


def test_every_table_but_those_without_a_site_has_row_security_enabled_and_forced(owner_database: Database) -> None:
    query = text(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') "
        "and relrowsecurity and relforcerowsecurity"
    )
    with_site = text(
        "select table_name from information_schema.columns "
        "where table_schema = 'public' and column_name in ('site_id', 'study_id')"
    )
    with owner_database.engine.connect() as connection:
        secured = set(connection.execute(query).scalars())
        scoped = set(connection.execute(with_site).scalars())
    assert secured == set(EXPECTED) - WITHOUT_ROW_SECURITY
    assert scoped <= secured


def test_every_right_of_the_dashboard_is_narrowed_by_a_policy(owner_database: Database) -> None:
    query = text(
        "select tablename, roles::text[], cmd, coalesce(qual, '') || coalesce(with_check, '') from pg_policies "
        "where schemaname = 'public' and permissive = 'PERMISSIVE'"  # a restrictive one only takes away
    )
    commands = {"S": "SELECT", "I": "INSERT", "U": "UPDATE", "D": "DELETE"}
    with owner_database.engine.connect() as connection:
        policies = connection.execute(query).all()
    narrowed = {(table, command) for table, roles, command, _ in policies if roles == [DatabaseRole.DASHBOARD]}
    for table in set(EXPECTED) - WITHOUT_ROW_SECURITY:
        for letter in rights_from_words(EXPECTED[table].get("dashboard", "")):
            assert (table, commands[letter]) in narrowed
    for table, roles, _, condition in policies:
        assert len(roles) == 1, table
        if roles == [DatabaseRole.DASHBOARD]:
            assert any(word in condition for word in ("scoped_", "whole_studies_as", "is_global_admin")), table
        else:
            assert condition in {"truetrue", "true"}, table


def test_every_function_is_closed_to_the_public_and_has_a_fixed_search_path(owner_database: Database) -> None:
    query = text(
        "select p.proname, p.prosecdef, p.proconfig, p.prorettype = 'trigger'::regtype, "
        "array(select a.grantee::regrole::text from aclexplode(p.proacl) a where a.grantee <> p.proowner), "
        "p.proacl is null or exists (select from aclexplode(p.proacl) a where a.grantee = 0) "
        "from pg_proc p where p.pronamespace = 'public'::regnamespace"
    )
    with owner_database.engine.connect() as connection:
        for name, is_definer, config, is_trigger, roles, is_public in connection.execute(query):
            if is_definer:
                assert config == ["search_path=public, pg_temp"], name
            if is_trigger:
                continue  # a trigger function cannot be called
            assert not is_public, name
            caller = DatabaseRole.WORKER if name in WORKER_FUNCTIONS.split(", ") else DatabaseRole.DASHBOARD
            expected = [] if name in PROGRAM_FUNCTIONS.split(", ") else [caller.value]
            assert roles == expected, name


def test_there_is_no_view_that_could_show_what_its_owner_sees(owner_database: Database) -> None:
    query = text(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and (relkind = 'm' or (relkind = 'v' "
        "and not coalesce(reloptions @> '{security_invoker=true}', false)))"
    )
    with owner_database.engine.connect() as connection:
        assert connection.execute(query).all() == []


def test_no_role_but_the_four_may_enter_the_database_and_none_may_make_objects(owner_database: Database) -> None:
    with owner_database.engine.connect() as connection:
        acl = connection.execute(
            text(
                "select coalesce(nullif(a.grantee, 0)::regrole::text, 'public'), a.privilege_type "
                "from pg_database d, aclexplode(d.datacl) a where d.datname = current_database()"
            )
        ).all()
        owner = DatabaseRole.OWNER.value
        assert {role for role, _ in acl} == set(ROLE_NAMES)
        assert {right for role, right in acl if role != owner} == {"CONNECT"}
        schema = connection.execute(
            text(
                "select coalesce(nullif(a.grantee, 0)::regrole::text, 'public'), a.privilege_type "
                "from pg_namespace n, aclexplode(n.nspacl) a where n.nspname = 'public'"
            )
        ).all()
    assert {role for role, right in schema if right == "CREATE"} == {"pg_database_owner"}
    assert "public" not in {role for role, _ in schema}


def test_the_roles_hold_no_power_over_row_security(settings: Settings) -> None:
    for role in (DatabaseRole.DASHBOARD, DatabaseRole.WORKER, DatabaseRole.SEALER):
        with open_database(settings, role) as database:
            assert role_faults(database) == []
            with session_scope(database) as session:
                assert (
                    session.execute(
                        text(
                            "select rolcreaterole or rolcreatedb or rolreplication from pg_roles where rolname = current_user"
                        )
                    ).scalar_one()
                    is False
                )
    with open_database(settings, DatabaseRole.OWNER) as database:
        assert role_faults(database) == ["octaudit_owner owns tables or may act as owner"]


def test_the_worker_may_delete_no_batch_but_drafts(owner_database: Database, worker_database: Database) -> None:
    with session_scope(owner_database) as session:
        site = make_site(session)
        submitted = make_batch(session, site)
        make_batch(session, site, submitted_at=None)
    with session_scope(worker_database) as session:
        session.execute(delete(Batch))
    with session_scope(owner_database) as session:
        assert session.scalars(select(Batch.id)).all() == [submitted.id]
