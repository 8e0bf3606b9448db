"""The volume lane from layers to findings: thickness in closed form, sectors, the device, captures that are not usable."""

import io
import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from PIL import Image

from core.phantom.bscan import BscanLesion, BscanSpec, VolumeSpec
from core.phantom.retina import RetinaShape
from core.phantom.volume import render_volume
from core.scoring.contract import ScanInput
from core.scoring.lanes.layer_canvas import PREPROCESSING
from core.scoring.lanes.layer_mask import class_shares
from core.scoring.lanes.layer_output import Layers, layers_of
from core.scoring.lanes.layer_scheme import labels_of_boundaries
from core.scoring.lanes.volume import VolumeFindings, scores_of, volume_of
from core.scoring.layers_card import LayersCard, LayersTraining
from core.values import NotComputable
from core.vocabulary import Laterality, LayerScheme, ReasonCode, ScanPattern, StructuralGrade
from core.volume import OctVolume

CARD = LayersCard(
    name="layers-test", version="1", weights_sha256="0" * 64, preprocessing=PREPROCESSING, network={},
    scheme=LayerScheme.DUKE_7, training=LayersTraining(n_epochs=1, kept_epoch=1, watched={}), recipe={}, software={},
    commands=(), init_sha256=None, seen_pixels=(), split="", data=(), metrics=(), choices=(), known_failures=(),
    intended_use="", labels="",
)  # fmt: skip
SHAPE = RetinaShape(nasal_slope_um_per_mm=2.0)


@cache
def phantom(fovea=(0.0, 0.0)):
    """A healthy right eye: 25 B-scans over 6.4 mm."""
    bscan = BscanSpec(
        height_px=248, width_px=160, z_mm_per_px=0.0078, x_mm_per_px=0.04, lesion=BscanLesion.NONE, noise=0.1,
        retina=SHAPE,
    )  # fmt: skip
    return render_volume(VolumeSpec(25, 0.256, fovea, bscan), 4)


def true_layers(drawn):
    """Layers as a faultless network would give them."""
    height = drawn.volume.height_px
    return [
        Layers(rows, labels_of_boundaries(rows, height), np.zeros(rows.shape[1], bool), np.zeros(rows.shape[1], bool))
        for rows in drawn.boundary_row_px
    ]


def scored(volume, layers):
    scan = ScanInput(key="v", image=volume.central_bscan, scale=None, volume=volume)
    return scores_of(scan, volume, layers, CARD, seconds=0.1)


def empty_layers(volume):
    none = np.full((8, volume.width_px), np.nan, np.float32)
    off = np.zeros(volume.width_px, bool)
    one = Layers(none, np.zeros(volume.bscans.shape[1:], np.uint8), off, off)
    return [one] * volume.n_bscans


def test_central_subfield_and_volume_are_those_of_the_closed_form():
    found = scored(phantom().volume, true_layers(phantom())).findings.document()["thickness"]
    assert found["central_subfield_um"] == pytest.approx(SHAPE.ring_mean_um(0.0, 0.5), abs=4.0)
    assert found["total_volume_mm3"] == pytest.approx(SHAPE.volume_mm3(3.0), rel=0.01)
    inner = [found["etdrs_um"][f"inner_{side}"] for side in ("superior", "nasal", "inferior", "temporal")]
    assert np.mean(inner) == pytest.approx(SHAPE.ring_mean_um(0.5, 1.5), abs=3.0)
    assert found["etdrs_um"]["outer_nasal"] > found["etdrs_um"]["outer_temporal"] + 5.0
    assert (found["fovea"]["x_mm"], found["fovea"]["y_mm"]) == pytest.approx(phantom().fovea_mm, abs=0.12)
    assert found["mean_by_runs_um"] == pytest.approx(found["mean_um"], abs=8.0)


def test_nasal_and_temporal_need_the_eye():
    volume = replace(phantom().volume, laterality=None)
    found = scored(volume, true_layers(phantom())).findings.document()["thickness"]["etdrs_um"]
    assert "not_computable" in found["inner_nasal"]
    assert found["inner_superior"] > 300


def test_the_device_s_own_layers_are_compared_and_where_they_stop_is_said():
    found = scored(phantom().volume, true_layers(phantom())).findings.document()["device"]
    assert found["outer_boundary"] == "BM"
    assert abs(found["bias_um"]) < 1.0
    assert found["low_um"] < found["bias_um"] < found["high_um"]


def test_the_document_is_json_and_the_pictures_are_what_it_names():
    findings = scored(phantom().volume, true_layers(phantom())).findings
    document = json.loads(json.dumps(findings.document(), allow_nan=False))
    pictures = findings.pictures()
    assert set(pictures) == {
        document["layers"]["mask"], document["layers"]["boundaries"], document["thickness"]["map"]["file"],
    }  # fmt: skip
    boundaries = np.load(io.BytesIO(pictures["boundaries.npy"]), allow_pickle=False)
    assert boundaries.dtype == np.float32
    assert boundaries.shape == (25, 8, 160)
    thickness = np.load(io.BytesIO(pictures["thickness.npy"]), allow_pickle=False)
    assert thickness.shape == (document["thickness"]["map"]["n_rows"], document["thickness"]["map"]["n_columns"])
    assert 0.2 < np.nanmin(thickness) < np.nanmax(thickness) < 0.4
    exports = findings.exports()
    assert list(exports)[:2] == ["000.layers.png", "001.layers.png"]
    assert len(exports) == 25
    with Image.open(io.BytesIO(exports["012.layers.png"])) as picture:
        assert picture.mode == "P"
        assert np.array_equal(np.asarray(picture), findings.labels(12))


def test_a_good_volume_is_usable_and_still_no_accept_without_a_person():
    scores = scored(phantom().volume, true_layers(phantom()))
    assert scores.grade.ordinal == StructuralGrade.USABLE
    assert scores.grade.abstained
    assert scores.findings.causes == scores.findings.doubts == ()


def test_zero_retina_is_not_usable_says_so_and_has_no_map():
    volume = phantom().volume
    scores = scored(volume, empty_layers(volume))
    assert scores.grade.ordinal == StructuralGrade.NOT_USABLE
    assert not scores.is_of_kind
    assert scores.findings.causes == (ReasonCode.IB_OBVIOUS,)
    document = scores.findings.document()
    assert document["capture"]["n_without_retina"] == 25
    assert document["thickness"]["mean_um"] == {"not_computable": "no retina was found"}
    assert "not_computable" in document["thickness"]["etdrs_um"]


def test_what_looks_like_no_retina_in_any_b_scan_has_no_thickness():
    volume = phantom().volume
    found = scored(volume, true_layers(phantom())).findings
    for n_like, is_given in ((0, False), (1, True)):
        likes = tuple(index < n_like for index in range(volume.n_bscans))
        document = replace(found, is_like_retina=likes).document()
        why = {"not_computable": "what was found looks like no retina in any B-scan"}
        measures = [document["thickness"][name] for name in ("mean_um", "mean_by_runs_um", "etdrs_um")]
        assert [measure != why for measure in measures] == [is_given] * 3, measures
        assert (document["device"] != why) is is_given


def test_a_retina_that_leaves_the_frame_is_a_fault_of_the_capture():
    layers = [replace(found, cut_top=np.ones(160, bool)) for found in true_layers(phantom())]
    scores = scored(phantom().volume, layers)
    assert scores.findings.causes == (ReasonCode.IB_OBVIOUS,)
    assert scores.findings.document()["capture"]["leaving_fraction"] == 1.0


def test_weak_signal_by_the_device_s_own_figure_is_oscar_ib_s():
    volume = replace(phantom().volume, quality_db=(9.0,) * 25)
    assert scored(volume, true_layers(phantom())).findings.causes == (ReasonCode.IB_SIGNAL,)


def test_a_fovea_far_from_the_middle_of_the_field_is_looked_at_by_a_person():
    drawn = phantom((0.95, 0.0))
    scores = scored(drawn.volume, true_layers(drawn))
    assert scores.findings.doubts == (ReasonCode.IB_CENTRATION,)
    assert "not_computable" in scores.findings.document()["thickness"]["total_volume_mm3"]


def test_a_line_scan_has_a_mean_but_no_map_and_says_why():
    volume = replace(phantom().volume, scan_pattern=ScanPattern.LINE)
    document = scored(volume, true_layers(phantom())).findings.document()
    assert document["thickness"]["mean_um"] > 250
    assert "line scan" in document["thickness"]["map"]["not_computable"]
    assert document["thickness"]["etdrs_um"] == document["thickness"]["map"]


def test_a_single_image_is_a_volume_of_one_without_millimetres():
    drawn = phantom()
    image = drawn.volume.central_bscan
    scan = ScanInput(key="b", image=image, scale=None, laterality=Laterality.OS)
    volume = volume_of(scan)
    assert (volume.n_bscans, volume.laterality) == (1, Laterality.OS)
    findings = scores_of(scan, volume, [true_layers(drawn)[12]], CARD, seconds=0.1).findings
    assert isinstance(findings, VolumeFindings)
    assert findings.exports() == {}
    assert set(findings.pictures()) == {"layers.png", "boundaries.npy"}
    assert findings.document()["thickness"]["mean_um"] == {"not_computable": "the file states no depth scale"}
    assert isinstance(findings.map_um, NotComputable)


def test_a_dark_half_is_poor_illumination():
    volume = phantom().volume
    bscans = volume.bscans.copy()
    bscans[:, :, 90:] = bscans[:, :, 90:] // 5
    scores = scored(replace(volume, bscans=bscans), true_layers(phantom()))
    assert scores.findings.causes == (ReasonCode.IB_ILLUMINATION,)


def test_an_empty_picture_as_a_volume_comes_back_as_a_result_and_no_error():
    volume = OctVolume(np.zeros((1, 100, 80), np.uint8))
    empty = np.zeros((8, 256, 256), np.float32)
    empty[0] = 1.0
    scores = scored(volume, [layers_of(empty, 100, 80)])
    assert scores.shape_px == (100, 80)
    assert not scores.is_of_kind
    assert class_shares(np.zeros((4, 4), np.uint8), 8, 2, 2)[0].all()
