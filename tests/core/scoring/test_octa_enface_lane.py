"""The lane's conclusions from network outputs: grade, FAZ, Grad-CAM and its agreement with the masks."""

from dataclasses import replace

import numpy as np
import pytest

from core.scoring.card import OperatingPoint
from core.scoring.lanes.canvas import Placement
from core.scoring.lanes.faz_region import FazDetail, FazRegion
from core.scoring.lanes.octa_enface import NetworkOutput, cam_mask_agreement, cam_of, faz_mask_of, grade_of
from core.statistics.overlap import dice
from core.values import Measured, NotComputable
from core.vocabulary import OCTA_ARTIFACTS, CoipsGrade

SQUARE = Placement.of(304, 304)


def point(**changes) -> OperatingPoint:
    values = {
        "temperature": 1.0,
        "min_confidence": 0.6,
        "min_octa_probability": 0.5,
        "artifact_thresholds": dict.fromkeys(OCTA_ARTIFACTS, 0.5),
        "faz_threshold": 0.5,
    }
    return OperatingPoint(**values | changes)


def an_output(*, cam_cell=(2, 2)) -> NetworkOutput:
    maps = np.full((3, 8, 8), -1.0, np.float32)
    maps[CoipsGrade.UNGRADABLE][cam_cell] = 4.0
    artifacts = np.full((4, 128, 128), -9.0, np.float32)
    return NetworkOutput(np.array([3, 0, 0], np.float32), 5.0, artifacts, np.full((128, 128), -9.0, np.float32), maps)


def output_with(faz_logits: np.ndarray, detail: FazDetail | None = None) -> NetworkOutput:
    return replace(an_output(), faz_logits=faz_logits, faz_detail=detail)


def test_a_sure_grade_is_given_and_an_unsure_one_abstained():
    sure = grade_of(np.array([0.0, 5.0, 0.0], np.float32), point())
    unsure = grade_of(np.array([0.0, 0.3, 0.0], np.float32), point())
    assert (sure.label, sure.ordinal, sure.abstained) == ("gradable", 1, False)
    assert unsure.abstained
    assert sum(unsure.probabilities.values()) == pytest.approx(1)


def test_a_higher_temperature_makes_the_grade_less_sure():
    logits = np.array([0.0, 2.0, 0.0], np.float32)
    warm, cold = grade_of(logits, point(temperature=3.0)), grade_of(logits, point(temperature=1.0))
    assert warm.probabilities["gradable"] < cold.probabilities["gradable"]


def test_the_faz_is_the_central_region_without_holes():
    rows, columns = np.mgrid[0:128, 0:128]
    radius = np.hypot(rows - 64, columns - 64)
    logits = np.where((radius < 20) & (radius > 4), 8.0, -8.0)
    logits[:6, :6] = 8.0
    mask = faz_mask_of(output_with(logits.astype(np.float32)), SQUARE, 0.5)
    assert mask.shape == (304, 304)
    assert mask[152, 152]
    assert not mask[:40, :40].any()


def test_the_second_look_decides_the_outline_and_the_first_one_stands_where_it_finds_nothing():
    rows, columns = np.mgrid[0:128, 0:128]
    first = np.where(np.hypot(rows - 64, columns - 64) < 20, 8.0, -8.0).astype(np.float32)
    rows, columns = np.mgrid[0:96, 0:96] + 0.5
    small = (np.hypot(rows - 48, columns - 48) < 16).astype(np.float32)
    region = FazRegion(152.0, 152.0, 96.0)
    refined = faz_mask_of(output_with(first, FazDetail(region, small)), SQUARE, 0.5)
    rows, columns = np.mgrid[0:304, 0:304] + 0.5
    assert dice(refined, np.hypot(rows - 152, columns - 152) < 16) > 0.97
    nothing = faz_mask_of(output_with(first, FazDetail(region, np.zeros_like(small))), SQUARE, 0.5)
    assert (nothing == faz_mask_of(output_with(first), SQUARE, 0.5)).all()


def test_a_speck_is_no_faz():
    logits = np.full((128, 128), -8.0, np.float32)
    logits[60, 60] = 8.0
    assert not faz_mask_of(output_with(logits), SQUARE, 0.5).any()


def test_a_cam_peaks_at_one_where_its_cell_is():
    cam = cam_of(an_output(cam_cell=(6, 1)).class_maps[0], SQUARE)
    row, column = np.unravel_index(cam.argmax(), cam.shape)
    assert cam.max() == pytest.approx(1)
    assert (row // 38, column // 38) == (6, 1)


def test_a_map_without_a_positive_value_is_not_computable():
    assert cam_of(np.full((8, 8), -0.1, np.float32), SQUARE) == NotComputable("no supporting evidence")


def test_evidence_in_the_padding_does_not_count():
    wide = Placement.of(128, 256)
    assert isinstance(cam_of(an_output(cam_cell=(0, 3)).class_maps[0], wide), NotComputable)


def test_evidence_on_an_artifact_agrees_and_evidence_beside_it_does_not():
    grade = grade_of(np.array([9.0, 0.0, 0.0], np.float32), point())
    on, beside = np.zeros((304, 304), bool), np.zeros((304, 304), bool)
    on[76:114], beside[228:266] = True, True
    assert cam_mask_agreement(an_output(), SQUARE, grade, [on, np.zeros_like(on)]) == Measured(1.0)
    assert cam_mask_agreement(an_output(), SQUARE, grade, [beside]) == Measured(0.0)


def test_agreement_is_only_judged_for_ungradable_scans():
    grade = grade_of(np.array([0.0, 9.0, 0.0], np.float32), point())
    assert isinstance(cam_mask_agreement(an_output(), SQUARE, grade, []), NotComputable)
