"""`octaudit user`, `database`, `audit` and `doctor` as an operator types them, against real servers."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import make_scan, make_site, make_study
from click.testing import Result
from sqlalchemy import text

from core.database.session import Database, session_scope
from core.errors import NotAllowedError
from core.scoring.registry import weights_path
from core.settings import Settings
from core.store.access import PROGRAM
from core.store.audit import record_event
from core.usecases.log_in import log_in
from core.usecases.seal_audit import seal_audit
from core.vocabulary import Role, ScanKind

Command = Callable[..., Result]


def password_in(output: str) -> str:
    found = re.search(r"Password: (\S+)", output)
    assert found is not None, output
    return found.group(1)


def test_a_user_is_added_with_a_role_and_can_log_in(
    octaudit: Command, owner_database: Database, dashboard_database: Database, settings: Settings
) -> None:
    with session_scope(owner_database) as session:
        study = make_study(session, code="TRIAL")
        site = make_site(session, study, code="S1")
    result = octaudit("user", "add", "Maria", "--role", "site_technician", "--study", "TRIAL", "--site", "S1")
    assert result.exit_code == 0, result.output
    actor = log_in(dashboard_database, settings, name="maria", password=password_in(result.output)).actor
    assert actor.has_role(Role.SITE_TECHNICIAN, study_id=study.id, site_id=site.id)
    assert actor.must_change_password


def test_a_reset_gives_a_new_password_and_disabling_ends_it(
    octaudit: Command, dashboard_database: Database, settings: Settings
) -> None:
    first = password_in(octaudit("user", "add", "maria").output)
    second = password_in(octaudit("user", "reset", "maria").output)
    with pytest.raises(NotAllowedError):
        log_in(dashboard_database, settings, name="maria", password=first)
    log_in(dashboard_database, settings, name="maria", password=second)
    assert octaudit("user", "disable", "maria", "--reason", "left").exit_code == 0
    with pytest.raises(NotAllowedError):
        log_in(dashboard_database, settings, name="maria", password=second)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("add", "maria"), "There is a user maria already."),
        (("add", "two words"), "'two words' is no user name."),
        (("add", "new", "--role", "manager"), "needs a study"),
        (("add", "new", "--role", "manager", "--study", "NONE"), "There is no study NONE."),
        (("add", "new", "--study", "NONE"), "--study and --site need --role."),
        (("add", "new", "--role", "admin", "--site", "S1"), "--site needs --study."),
        (("disable", "nobody"), "There is no user nobody."),
        (("reset", "nobody"), "There is no user nobody."),
    ],
)
def test_a_wrong_use_is_answered_in_one_sentence_and_adds_nobody(
    octaudit: Command, owner_database: Database, words: tuple[str, ...], sentence: str
) -> None:
    octaudit("user", "add", "maria")
    result = octaudit("user", *words)
    assert result.exit_code == 2, result.output
    assert sentence in result.output
    with session_scope(owner_database) as session:
        assert session.scalars(text("select name from app_user")).all() == ["maria"]


def test_the_database_is_initialised_migrated_and_checked(octaudit: Command) -> None:
    for words in (("init",), ("init",), ("migrate",), ("check",)):
        result = octaudit("database", *words)
        assert result.exit_code == 0, result.output


def test_a_schema_that_differs_is_found_by_check_and_doctor(octaudit: Command, owner_database: Database) -> None:
    with session_scope(owner_database) as session:
        session.execute(text("alter table study add column surprise text"))
    result = octaudit("database", "check")
    assert result.exit_code == 1
    assert "surprise" in result.output
    with session_scope(owner_database) as session:
        session.execute(text("update alembic_version set version_num = '0001'"))
    result = octaudit("doctor")
    assert result.exit_code == 1
    assert "The database is at revision 0001" in result.output
    assert "octaudit database migrate" in result.output


def test_the_doctor_finds_a_whole_installation_well(octaudit: Command) -> None:
    result = octaudit("doctor")
    assert result.exit_code == 0, result.output
    for part in (
        "home",
        "disk",
        "database as dashboard",
        "schema",
        "broker",
        "images",
        "weights",
        "queue",
        "audit trail",
    ):
        assert re.search(rf"^ok +{part}", result.output, re.MULTILINE), part


def test_the_doctor_names_scans_that_no_model_scores(
    octaudit: Command, owner_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.usecases.check_installation.OPEN_LANES", (ScanKind.OCTA_ENFACE,))
    with session_scope(owner_database) as session:
        for kind in ("bscan", "octa-enface"):
            make_scan(session, kind=kind)
    result = octaudit("doctor")
    assert result.exit_code == 1
    assert re.search(r"^FAULT +queue +.*no model scores: 1 of kind bscan\.", result.output, re.MULTILINE)


def test_the_doctor_names_what_is_at_fault_and_goes_on(octaudit: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCTAUDIT_REDIS_URL", "redis+socket:///nowhere/redis.sock")
    monkeypatch.setenv("OCTAUDIT_MODEL", "/nowhere/model.safetensors")
    monkeypatch.setenv("OCTAUDIT_DATABASE_DASHBOARD_URL", "postgresql+psycopg://octaudit_dashboard:x@/x?host=/nowhere")
    result = octaudit("doctor")
    assert result.exit_code == 1
    faults = re.findall(r"^FAULT +(\S+(?: \S+)*)", result.output, re.MULTILINE)
    assert [fault.split("  ")[0] for fault in faults] == ["database as dashboard", "broker", "weights"]
    assert re.search(r"^ok +database as worker", result.output, re.MULTILINE)


def test_the_doctor_without_an_installation_says_what_to_run(
    octaudit: Command, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for role in ("admin", "owner", "dashboard", "worker", "sealer"):
        monkeypatch.delenv(f"OCTAUDIT_DATABASE_{role.upper()}_URL")
    result = octaudit("doctor")
    assert result.exit_code == 1
    assert "Run `octaudit up` first" in result.output


def test_the_audit_trail_is_verified_and_tampering_exits_one(
    octaudit: Command,
    owner_database: Database,
    worker_database: Database,
    sealer_database: Database,
    settings: Settings,
) -> None:
    with session_scope(worker_database) as session:
        record_event(session, actor=PROGRAM, action="x", entity="scan", entity_id=1)
    seal_audit(sealer_database, settings)
    result = octaudit("audit", "verify")
    assert result.exit_code == 0, result.output
    assert "1 events are sealed" in result.output
    with session_scope(owner_database) as session:
        session.execute(text("alter table audit_event disable trigger stays_as_written"))
        session.execute(text("update audit_event set reason = 'forged'"))
    result = octaudit("audit", "verify")
    assert result.exit_code == 1
    assert "was changed" in result.output


def test_a_model_is_added_listed_retired_and_brought_back(
    octaudit: Command, owner_database: Database, tmp_path: Path
) -> None:
    assert "No model is registered" in octaudit("model", "list").output
    trained = tmp_path / "ours.safetensors"
    shutil.copy(weights_path(ScanKind.OCTA_ENFACE), trained)
    alone = octaudit("model", "add", str(trained))
    assert alone.exit_code == 2
    assert "has not both" in alone.output
    card = trained.with_suffix(".json")
    shutil.copy(weights_path(ScanKind.OCTA_ENFACE).with_suffix(".json"), card)
    added = octaudit("model", "add", str(trained))
    assert "is registered: version" in added.output, added.output
    assert "was registered before" in octaudit("model", "add", str(trained)).output
    listed = octaudit("model", "list").output
    assert "octa-enface" in listed
    assert "can be chosen" in listed
    number = listed.split()[0]
    assert octaudit("model", "retire", number, "--reason", "replaced").exit_code == 0
    assert "retired" in octaudit("model", "list").output
    assert octaudit("model", "retire", number, "--reason", "again").exit_code == 2
    assert octaudit("model", "restore", number, "--reason", "by mistake").exit_code == 0
    assert octaudit("model", "retire", "999", "--reason", "x").exit_code == 2
    with session_scope(owner_database) as session:
        actions = session.scalars(text("select action from audit_event where action like 'model.%' order by id")).all()
    assert actions == ["model.register", "model.retire", "model.restore"]
    card.write_text(card.read_text("utf-8").replace('"kind": "octa-enface"', '"kind": "heart"'))
    assert "does not say what kind" in octaudit("model", "add", str(trained)).output
