"""One transaction per scope: committed at its end, undone on error, actions only after the commit."""

import pytest
from builders import make_scan, make_study
from sqlalchemy import func, select

from core.database.session import Database, after_commit, session_scope
from core.database.tables import Scan, Study


class LostWorkError(Exception):
    """Stands for whatever may go wrong inside a scope."""


def n_studies(database: Database) -> int:
    with session_scope(database) as session:
        return session.scalar(select(func.count()).select_from(Study)) or 0


def test_a_scope_commits_at_its_end(owner_database: Database) -> None:
    with session_scope(owner_database) as session:
        make_study(session)
    assert n_studies(owner_database) == 1


def test_a_scope_is_undone_by_an_error(owner_database: Database) -> None:
    with pytest.raises(LostWorkError), session_scope(owner_database) as session:  # noqa: PT012 - the block is the subject
        make_study(session)
        raise LostWorkError
    assert n_studies(owner_database) == 0


def test_every_test_starts_with_an_empty_migrated_database(owner_database: Database) -> None:
    assert n_studies(owner_database) == 0


def test_actions_run_after_the_commit_in_their_order(owner_database: Database) -> None:
    seen: list[tuple[str, int]] = []
    with session_scope(owner_database) as session:
        after_commit(session, lambda: seen.append(("first", n_studies(owner_database))))
        after_commit(session, lambda: seen.append(("second", n_studies(owner_database))))
        make_study(session)
        assert seen == []
    assert seen == [("first", 1), ("second", 1)]


def test_actions_do_not_run_after_a_rollback(owner_database: Database) -> None:
    seen: list[str] = []
    with pytest.raises(LostWorkError), session_scope(owner_database) as session:  # noqa: PT012 - the block is the subject
        after_commit(session, lambda: seen.append("ran"))
        raise LostWorkError
    assert seen == []


def test_a_failing_action_does_not_undo_the_commit_nor_stop_the_next(
    owner_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []
    with session_scope(owner_database) as session:
        make_study(session)
        after_commit(session, lambda: {}["nobody listens"])
        after_commit(session, lambda: seen.append("next"))
    assert seen == ["next"]
    assert n_studies(owner_database) == 1
    assert "after-commit action failed" in caplog.text


def test_the_builders_make_a_whole_chain(owner_database: Database) -> None:
    with session_scope(owner_database) as session:
        scan = make_scan(session)
    with session_scope(owner_database) as session:
        assert session.get_one(Scan, scan.id).state == "queued"
