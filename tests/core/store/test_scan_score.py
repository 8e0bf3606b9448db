"""Single scans by device: every scored one while they are few, the latest of each device when they are many."""

from collections import Counter

import pytest
from demo_rows import PROBABILITIES, Demo

from core.database.session import session_scope
from core.store import recent_scan
from core.store.scan_filter import ScanFilter
from core.store.scan_score import ScanScores, read_scan_scores
from core.vocabulary import Slab


def look(demo: Demo, token: str = "", **chosen: object) -> ScanScores:
    with session_scope(demo.database, token=token or demo.rows.manager) as session:
        return read_scan_scores(session, ScanFilter(**chosen))


def test_every_scan_has_its_own_score_and_its_capture_s_index(demo: Demo) -> None:
    found = look(demo)
    assert len(found.scans) == len(demo.rows.study.scans)
    expected = Counter(PROBABILITIES[int(scan.acquisition.foreseen)][0] for scan in demo.rows.study.scans)
    assert Counter(scan.probability for scan in found.scans) == expected
    indices = found.by_index()
    assert list(indices) == ["SSI"]
    values = sorted(scan.index[1] for scan in indices["SSI"] if scan.index)
    assert values == sorted(float(a.quality_value) for a in demo.rows.study.acquisitions), "once per capture"


def test_filters_narrow_to_slab_and_site(demo: Demo) -> None:
    bad = demo.rows.study.planted.bad_site
    found = look(demo, slab=Slab.DEEP, site_id=demo.rows.site_ids[bad])
    assert {(scan.slab, scan.site_code) for scan in found.scans} == {(Slab.DEEP, bad)}
    assert len(found.scans) == sum(a.site == bad for a in demo.rows.study.acquisitions)


def test_a_site_s_person_sees_that_site_alone(demo: Demo) -> None:
    bad = demo.rows.study.planted.bad_site
    assert {scan.site_code for scan in look(demo, demo.rows.technician).scans} == {bad}
    assert look(demo, "forged").scans == ()


def test_of_many_scans_the_latest_of_every_device_are_read(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_scan, "MOST_SCANS", 5 * len(demo.rows.device_ids))
    found = look(demo)
    assert found.per_device == 5
    captures: dict[str, set[int]] = {}
    for scan in found.scans:
        captures.setdefault(scan.device_code, set()).add(scan.capture_id)
    sent = Counter(a.device for a in demo.rows.study.acquisitions)
    assert {device: len(ids) for device, ids in captures.items()} == {d: min(5, n) for d, n in sent.items()}
    latest = max(a.acquired_at for a in demo.rows.study.acquisitions)
    assert max(scan.acquired_at for scan in found.scans) == latest
