"""Drift of scores and device indices: the planted decline is seen at its device, healthy devices stay quiet."""

from collections import Counter
from datetime import timedelta

from demo_rows import ENDS_ON, Demo

from core.database.session import session_scope
from core.statistics.drift import Drift, DriftLevel
from core.store.finding import Finding, index_finding, score_findings
from core.store.histogram import Histograms
from core.store.scan_filter import ScanFilter
from core.usecases.watch_inputs import InputWatch, index_drift, watch_inputs
from core.values import NotComputable
from core.vocabulary import RateMeasure

STARTS_ON = ENDS_ON - timedelta(days=ENDS_ON.weekday() + 7 * 12)


def look(demo: Demo, **chosen: object) -> InputWatch:
    with session_scope(demo.database, token=demo.rows.manager) as session:
        return watch_inputs(session, ScanFilter(**chosen), starts_on=STARTS_ON)


def test_the_declining_device_has_drifted_and_no_other_one_has(demo: Demo) -> None:
    planted = demo.rows.study.planted
    devices = {each.device.code: each for each in look(demo).devices}
    declining = devices[planted.declining_device]
    assert isinstance(declining.scores, Drift)
    assert declining.level is DriftLevel.MAJOR
    assert declining.scores.shift > 1.0, "more often ungradable"
    drifted = {code for code, each in devices.items() if each.level is not DriftLevel.NONE}
    assert drifted == {planted.declining_device}
    assert look(demo).devices[0].device.code == planted.declining_device


def test_every_scored_slab_of_a_first_capture_is_in_one_bin(demo: Demo) -> None:
    watch = look(demo)
    first = demo.rows.study.first_pass
    late = [a for a in first if a.acquired_at.date() >= STARTS_ON]
    assert (watch.before.n_slabs, watch.now.n_slabs) == (2 * (len(first) - len(late)), 2 * len(late))
    assert sum(watch.now.indices.values()) == len(late)
    assert {name for name, _ in watch.now.indices} == {"SSI"}


def test_a_score_lies_in_its_tenth_and_the_last_holds_one() -> None:
    def places(value: float) -> set[Finding]:
        return score_findings("deep", {"ungradable": value}, is_abstained=False, is_of_kind=True)

    assert places(0.0) == {Finding(RateMeasure.SCORE, "deep 0")}
    assert places(0.39) == {Finding(RateMeasure.SCORE, "deep 3")}
    assert places(1.0) == {Finding(RateMeasure.SCORE, "deep 9")}
    odd = score_findings("deep", {}, is_abstained=True, is_of_kind=False)
    assert odd == {Finding(RateMeasure.ABSTAINED, "deep"), Finding(RateMeasure.STRANGER, "deep")}


def test_an_index_of_few_steps_has_narrow_bins() -> None:
    assert index_finding("SSI", 68.0).detail == "SSI 65"
    assert index_finding("SS", 7.5).detail == "SS 7"
    assert index_finding("Q", 23.0).detail == "Q 22"


def test_an_index_that_changed_its_name_cannot_be_compared() -> None:
    before = Histograms(indices=Counter({("SSI", 65.0): 50}))
    now = Histograms(indices=Counter({("SS", 7.0): 50}))
    assert isinstance(index_drift(before, now), NotComputable)
    assert isinstance(index_drift(Histograms(), Histograms()), NotComputable)
