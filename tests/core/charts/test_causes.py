"""The charts of causes: ordered, summing to all failures, and of shares that do not punish large sites."""

import pytest
from demo_rows import Demo

from core.charts.causes import (
    MOST_GROUPS,
    cause_rows,
    cure_counts,
    cure_rows,
    draw_cures,
    draw_heat_map,
    draw_pareto,
    draw_severities,
    heat_rows,
    most_failing,
    severity_rows,
    top_cause,
)
from core.charts.dictionaries import CAUSE_COLUMNS, CURE_COLUMNS, HEAT_COLUMNS, SEVERITY_COLUMNS
from core.database.session import session_scope
from core.store.cause import FindingCounts, Findings, GroupFindings, read_findings
from core.store.scan_filter import ScanFilter
from core.vocabulary import OperatorFixable, ReasonCode


@pytest.fixture(scope="module")
def findings(demo: Demo) -> Findings:
    with session_scope(demo.database, token=demo.rows.manager) as session:
        return read_findings(session, ScanFilter())


def test_the_pareto_adds_up_to_all_failures(findings: Findings) -> None:
    rows = cause_rows(findings.all)
    counts = [int(str(row["failed_first"])) for row in rows]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) == findings.all.failed
    assert float(str(rows[-1]["cumulative"])) == pytest.approx(1.0)
    assert top_cause(findings.all) == (ReasonCode.MP_MOTION, counts[0])


def test_the_heat_map_shows_shares_of_each_column_s_own_captures() -> None:
    cause = {ReasonCode.MP_MOTION: 5}
    groups = [
        GroupFindings(1, "LARGE", FindingCounts(decided=100, gradable=95, causes=cause)),
        GroupFindings(2, "SMALL", FindingCounts(decided=10, gradable=5, causes=cause)),
        GroupFindings(3, "EMPTY", FindingCounts()),
    ]
    rates = {row["group"]: row["rate"] for row in heat_rows(groups)}
    assert rates == {"LARGE": 0.05, "SMALL": 0.5}


def test_operator_and_patient_factors_are_told_apart() -> None:
    first = {ReasonCode.MP_MOTION: 3, ReasonCode.MP_SIGNAL: 2, ReasonCode.MP_PATHOLOGY: 1}
    counts = FindingCounts(decided=10, gradable=4, first_causes=first)
    assert cure_counts(counts) == {OperatorFixable.YES: 3, OperatorFixable.UNKNOWN: 2, OperatorFixable.NO: 1}
    assert top_cause(FindingCounts()) is None


def test_every_chart_is_sound_and_its_download_explained(findings: Findings) -> None:
    for chart in (
        draw_pareto(findings.all),
        draw_cures(findings.sites),
        draw_heat_map(findings.devices, "Device"),
        draw_severities(findings.all),
    ):
        assert chart.to_dict()["$schema"]
    for rows, dictionary in (
        (cause_rows(findings.all), CAUSE_COLUMNS),
        (cure_rows(findings.sites), CURE_COLUMNS),
        (heat_rows(findings.sites), HEAT_COLUMNS),
        (severity_rows(findings.all), SEVERITY_COLUMNS),
    ):
        assert set(dictionary) <= set(rows[0])


def test_of_many_devices_those_with_most_failures_are_drawn() -> None:
    groups = [GroupFindings(n, f"D{n:03}", FindingCounts(decided=200, gradable=200 - n)) for n in range(100)]
    shown = most_failing(groups)
    assert len(shown) == MOST_GROUPS
    assert [group.code for group in shown] == [f"D{n:03}" for n in range(60, 100)]
