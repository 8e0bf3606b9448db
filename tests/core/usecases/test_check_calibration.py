"""Calibration by device: a sound model is called sound, an over-confident one is not, and a handful is not judged."""

import numpy as np
import pytest
from demo_rows import PROBABILITIES, Demo

from core.database.session import session_scope
from core.statistics.calibration import Calibration
from core.statistics.resampling import Interval
from core.store.graded_scan import GradedScan, Reference
from core.store.scan_filter import ScanFilter
from core.usecases.check_calibration import CalibrationCheck, calibration_of, check_calibration
from core.values import NotComputable


def graded(number: int, probability: float, *ordinals: int) -> GradedScan:
    return GradedScan(number, number // 2, "CEDAR", 1, "CEDAR-A", probability, ordinals)


def simulated(n: int, seed: int, *, shift: float) -> list[GradedScan]:
    """Scans whose share of ungradable ones is ``shift`` above what the model says."""
    rng = np.random.default_rng(seed)
    probabilities = rng.uniform(0.05, 0.7, n)
    is_poor = rng.uniform(size=n) < np.clip(probabilities + shift, 0.0, 1.0)
    return [
        graded(i, float(p), 0 if poor else 1) for i, (p, poor) in enumerate(zip(probabilities, is_poor, strict=True))
    ]


def look(demo: Demo, token: str = "", reference: Reference = Reference.MASKED, **chosen: object) -> CalibrationCheck:
    with session_scope(demo.database, token=token or demo.rows.manager) as session:
        return check_calibration(session, ScanFilter(**chosen), reference)


def test_every_masked_scan_is_held_against_its_own_score(demo: Demo) -> None:
    found = look(demo)
    gradings = demo.rows.study.gradings
    assert found.all.n_scans == len({each.scan.file_name for each in gradings})
    assert sum(each.n_scans for each in found.devices) == found.all.n_scans
    assert isinstance(found.all.found, Calibration)
    scans = {each.scan.file_name: each.scan for each in gradings}.values()
    expected = np.mean([PROBABILITIES[int(scan.acquisition.foreseen)][0] for scan in scans])
    assert found.all.found.predicted == pytest.approx(expected)


def test_who_may_not_see_masked_grades_sees_no_calibration(demo: Demo) -> None:
    assert look(demo, demo.rows.technician).all.n_scans == 0
    assert look(demo, reference=Reference.DECISIONS).all.n_scans == 0, "nobody has decided in these rows"


def test_a_sound_model_is_as_sure_as_it_should_be() -> None:
    found = calibration_of("A", simulated(800, 1, shift=0.0))
    assert isinstance(found.found, Calibration)
    assert isinstance(found.found.slope, Interval)
    assert not found.is_off
    assert found.found.slope.low < 1.0 < found.found.slope.high
    assert sum(point.n_scans for point in found.points) == 800
    assert all(point.observed.low - 0.05 < point.predicted < point.observed.high + 0.05 for point in found.points)


def test_a_model_that_promises_too_much_is_off() -> None:
    found = calibration_of("A", simulated(400, 2, shift=0.2))
    assert found.is_off
    assert isinstance(found.found, Calibration)
    assert isinstance(found.found.excess, Interval)
    assert found.found.excess.low > 0.1
    assert found.error is not None
    assert found.error > 0.1


@pytest.mark.parametrize("n", [0, 10, 29])
def test_a_handful_of_scans_is_not_judged(n: int) -> None:
    found = calibration_of("A", simulated(n, 3, shift=0.5))
    assert found.found == NotComputable("fewer than 30 graded scans or 10 patients")
    assert (found.points, found.is_off) == ((), False)


def test_people_who_differ_evenly_count_as_ungradable() -> None:
    assert graded(1, 0.5, 0, 1).is_ungradable
    assert graded(1, 0.5, 0).is_ungradable
    assert not graded(1, 0.5, 0, 1, 2).is_ungradable
