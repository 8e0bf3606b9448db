"""Why captures fail: sums over sites and devices, each failure under one weightiest cause."""

from demo_rows import Demo

from core.database.session import session_scope
from core.store.cause import Findings, read_findings
from core.store.scan_filter import ScanFilter
from core.vocabulary import Severity


def look(demo: Demo, token: str = "", **chosen: object) -> Findings:
    with session_scope(demo.database, token=token or demo.rows.manager) as session:
        return read_findings(session, ScanFilter(**chosen))


def test_the_planted_causes_are_found_where_they_were_planted(demo: Demo) -> None:
    planted = demo.rows.study.planted
    findings = look(demo)
    sites = {group.code: group.counts for group in findings.sites}
    bad = sites[planted.bad_site]
    assert bad.first_causes[planted.bad_site_reason] == bad.failed > 20
    devices = {group.code: group.counts for group in findings.devices}
    declining = devices[planted.declining_device]
    assert declining.first_causes[planted.decline_reason] > 0.8 * declining.failed
    assert bad.artifacts["motion", Severity.SEVERE] == bad.failed


def test_every_failure_has_one_weightiest_cause(demo: Demo) -> None:
    findings = look(demo)
    first = demo.rows.study.first_pass
    assert (findings.all.decided, findings.all.failed) == (len(first), sum(a.is_poor for a in first))
    for group in (*findings.sites, *findings.devices):
        assert sum(group.counts.first_causes.values()) == group.counts.failed
        assert all(group.counts.causes[code] >= n for code, n in group.counts.first_causes.items())
    assert sum(group.counts.failed for group in findings.devices) == findings.all.failed


def test_what_was_taken_again_is_counted_apart(demo: Demo) -> None:
    again = [a for a in demo.rows.study.acquisitions if a.replaces is not None]
    counts = look(demo).all
    assert counts.repeated == len(again)
    assert counts.repeated_gradable == sum(not a.is_poor for a in again)


def test_a_site_s_person_sees_that_site_alone(demo: Demo) -> None:
    findings = look(demo, demo.rows.technician)
    assert [group.code for group in findings.sites] == [demo.rows.study.planted.bad_site]
    assert look(demo, "forged").all.decided == 0
