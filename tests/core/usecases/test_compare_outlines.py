"""Outlines by hand against the model: a planted bias is found with limits and ICC, and what cannot count is named."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from core.statistics.agreement_intervals import BlandAltman, IntraclassIntervals
from core.store.faz_outline import Outlined, OutlinedScans
from core.usecases.compare_outlines import OutlineComparison, compare_outlined
from core.values import Measure, Measured, NotComputable
from core.vocabulary import Laterality

AREA = "faz_area_mm2"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def outlined(
    scan: int, reader: str, by_hand: float | NotComputable, by_model: float | NotComputable, **changes: object
) -> Outlined:
    def measure(value: float | NotComputable) -> Measure:
        return value if isinstance(value, NotComputable) else Measured(value)

    item = Outlined(
        scan, scan, f"P{scan}", "S", "D", Laterality.OD, NOON, 1, reader, {AREA: measure(by_hand)},
        {AREA: measure(by_model)}, touches_border=False,
    )  # fmt: skip
    return replace(item, **changes)  # type: ignore[arg-type]


def compared(*items: Outlined) -> OutlineComparison:
    return compare_outlined(OutlinedScans(NOON, items, is_cut=False), AREA)


def test_a_model_that_draws_too_large_shows_as_bias_beside_readers_who_agree() -> None:
    rng = np.random.default_rng(5)
    truth = rng.uniform(0.1, 0.5, 300)
    items = [
        outlined(scan, reader, area + rng.normal(0, 0.008), area + 0.05 + drift)
        for scan, (area, drift) in enumerate(zip(truth, rng.normal(0, 0.02, 300), strict=True))
        for reader in ("R1", "R2")
    ]
    found = compared(*items)
    model, people = found.model, found.people
    assert isinstance(model.limits, BlandAltman)
    assert isinstance(people.limits, BlandAltman)
    assert model.limits.bias.low < 0.05 < model.limits.bias.high
    assert people.limits.bias.low < 0.0 < people.limits.bias.high
    true_limit = 0.05 + 1.96 * np.hypot(0.02, 0.008 / np.sqrt(2))
    assert model.limits.high.value == pytest.approx(true_limit, abs=0.005)
    assert isinstance(model.correlation, IntraclassIntervals)
    assert isinstance(people.correlation, IntraclassIntervals)
    assert model.correlation.agreement.value < model.correlation.consistency.value
    assert people.correlation.agreement.value > 0.98
    assert (people.reference, people.other) == ("R1", "R2")
    assert found.readers == {"R1": 300, "R2": 300}


def test_of_several_readers_the_mean_counts_and_of_a_patient_one_scan() -> None:
    found = compared(
        outlined(1, "R1", 0.2, 0.3), outlined(1, "R2", 0.4, 0.3), outlined(2, "R1", 0.2, 0.1),
        outlined(3, "R1", 0.5, 0.9, subject_id=2),
    )  # fmt: skip
    assert [(pair.reference, pair.other) for pair in found.model.pairs] == [(pytest.approx(0.3), 0.3), (0.2, 0.1)]
    assert found.left_out == {"another scan of the same patient": 1}
    assert found.model.limits == NotComputable("fewer than 3 pairs")


def test_what_cannot_count_is_left_out_by_name() -> None:
    found = compared(
        outlined(1, "R1", 0.2, 0.2, ordinal=0), outlined(2, "R1", 0.2, 0.2, touches_border=True),
        outlined(3, "R1", NotComputable("no scale"), 0.2), outlined(4, "R1", 0.2, NotComputable("no FAZ visible")),
    )  # fmt: skip
    assert found.model.pairs == ()
    assert found.left_out == {
        "ungradable": 1, "the zone is cut off": 1, "by hand: no scale": 1, "by the model: no FAZ visible": 1,
    }  # fmt: skip
    assert found.people.pairs == ()
