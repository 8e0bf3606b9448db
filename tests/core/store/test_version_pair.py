"""Scans that two versions scored: what counts stands on the champion's side, and sites stay apart."""

import pytest
from challengers import add_version, rescore
from clinics import Clinics, build_clinics

from core.database.session import Database, session_scope
from core.settings import Settings
from core.storage import open_blob_store
from core.store.scan_filter import ScanFilter
from core.store.version_pair import VersionPairs, read_version_pairs
from core.vocabulary import Verdict


@pytest.fixture
def clinics(owner_database: Database, settings: Settings) -> Clinics:
    with session_scope(owner_database) as session:
        made = build_clinics(session, open_blob_store(settings))
        version = add_version(session)
        said = {
            made.accepted_id: (2, Verdict.ACCEPT), made.flagged_id: (1, Verdict.ACCEPT),
            made.other_id: (0, Verdict.REVIEW), made.abstained_id: (1, Verdict.ACCEPT),
        }  # fmt: skip
        rescore(session, version, said)
        return made


def look(database: Database, token: str, **chosen: object) -> VersionPairs:
    with session_scope(database, token=token) as session:
        return read_version_pairs(session, ScanFilter(**chosen))


def test_every_scan_of_both_versions_is_a_pair(dashboard_database: Database, clinics: Clinics) -> None:
    found = look(dashboard_database, clinics.manager)
    pairs = {pair.scan_id: pair for pair in found.pairs}
    assert set(pairs) == {clinics.accepted_id, clinics.flagged_id, clinics.other_id, clinics.abstained_id}
    flagged = pairs[clinics.flagged_id]
    assert (flagged.champion.ordinal, flagged.champion.verdict) == (0, Verdict.REACQUIRE)
    assert (flagged.challenger.ordinal, flagged.challenger.verdict) == (1, Verdict.ACCEPT)
    assert pairs[clinics.abstained_id].champion.ordinal is None
    assert found.names[flagged.challenger.version_id] == "challenger 9.0"
    assert sum(found.counting.values()) == 4


def test_what_counts_is_the_champion_whoever_scored_first(
    dashboard_database: Database, owner_database: Database, clinics: Clinics
) -> None:
    with session_scope(owner_database) as session:
        newer = add_version(session, "newer", "10.0")
        rescore(session, newer, {clinics.flagged_id: (2, Verdict.ACCEPT)}, is_counting=True)
    found = look(dashboard_database, clinics.manager)
    champions = {found.names[p.champion.version_id] for p in found.pairs if p.scan_id == clinics.flagged_id}
    assert champions == {"newer 10.0"}
    assert len([p for p in found.pairs if p.scan_id == clinics.flagged_id]) == 2, "both older versions are compared"
    assert sorted(found.counting.values()) == [1, 3], "three scans were not scored again"


def test_nobody_sees_another_site_s_pairs(dashboard_database: Database, clinics: Clinics) -> None:
    assert {pair.site_code for pair in look(dashboard_database, clinics.stranger).pairs} == {"S02"}
    assert look(dashboard_database, clinics.manager, site_id=clinics.site_id).counting.total() == 3
    assert look(dashboard_database, "forged").pairs == ()
