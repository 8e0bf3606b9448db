"""Reliability curve and devices: the diagonal, the selection on top, every column in the dictionary."""

import numpy as np

from core.charts.calibration import curve_rows, device_rows, draw_excess, draw_reliability
from core.charts.dictionaries import CALIBRATION_COLUMNS, CURVE_COLUMNS
from core.clock import now
from core.store.graded_scan import GradedScan, Reference
from core.usecases.check_calibration import CalibrationCheck, calibration_of
from dashboard.components.calibration_words import calibration_words, few_words


def scans(device: str, n: int, *, shift: float) -> list[GradedScan]:
    rng = np.random.default_rng(11)
    chances = rng.uniform(0.1, 0.5, n)
    is_poor = rng.uniform(size=n) < chances + shift
    return [GradedScan(i, i, "S", 1, device, float(chances[i]), (0 if is_poor[i] else 2,)) for i in range(n)]


def check() -> CalibrationCheck:
    off, right, few = scans("A", 120, shift=0.4), scans("B", 120, shift=0.0), scans("C", 5, shift=0.0)
    devices = tuple(calibration_of(each[0].device_code, each) for each in (off, right, few))
    everything = calibration_of("All devices", off + right + few)
    return CalibrationCheck(now(), Reference.MASKED, everything, devices, is_cut=False)


def test_the_words_name_who_is_off_and_who_has_too_few() -> None:
    found = check()
    assert "1 of 2 devices that can be judged is off: A." in str(calibration_words(found))
    assert few_words(found).endswith("C (5).")


def test_the_curve_has_the_selection_and_every_device_with_enough() -> None:
    rows = curve_rows(check())
    assert {row["of"] for row in rows} == {"All devices", "A", "B"}
    assert sum(bool(row["is_all"]) for row in rows) == 5
    assert len(draw_reliability(check()).to_dict()["layer"]) == 5
    order = draw_excess(check()).to_dict()["layer"][1]["encoding"]["y"]["sort"]
    assert order == ["A", "B"]


def test_the_dictionaries_explain_every_column() -> None:
    assert set(CURVE_COLUMNS) <= set(curve_rows(check())[0])
    rows = device_rows(check().devices)
    assert set().union(*rows) <= set(CALIBRATION_COLUMNS)
    assert rows[2]["why"] == "fewer than 30 graded scans or 10 patients"
