"""A layer model answers in the scheme that is asked for, where its layers are fine enough; else it says which it has."""

import json
from copy import copy

import numpy as np
import pytest
from click.testing import CliRunner
from lane import ObedientScorer
from PIL import Image

from core.commands.score import command
from core.errors import UsageError
from core.phantom.bscan import BscanSpec, draw_bscan
from core.scoring.contract import ScanInput
from core.scoring.lanes.layer_scheme import BOUNDARY_NAMES, boundaries_in, coarser_schemes, in_scheme
from core.scoring.lanes.layer_scheme import labels_of_boundaries as drawn
from core.scoring.registry import load_scorer, scorer_in_scheme
from core.scoring.torch_backend.volume import VolumeScorer
from core.vocabulary import LayerScheme, ScanKind

PHANTOM = draw_bscan(BscanSpec(height_px=200, width_px=160, z_mm_per_px=0.008, x_mm_per_px=0.04), 12)


@pytest.fixture(scope="module")
def scorer():
    return load_scorer(ScanKind.VOLUME, device="cpu")


@pytest.mark.parametrize("wanted", coarser_schemes(LayerScheme.DUKE_7))
def test_boundaries_of_a_coarser_scheme_draw_the_labels_put_together(wanted):
    rows = PHANTOM.boundary_row_px
    coarse = boundaries_in(rows, LayerScheme.DUKE_7, wanted)
    assert len(coarse) == len(BOUNDARY_NAMES[wanted])
    assert np.array_equal(drawn(coarse, 200), in_scheme(drawn(rows, 200), wanted))


def test_the_whole_retina_is_as_thick_in_every_scheme(scorer):
    scan = ScanInput("v", PHANTOM.image, None)
    fine, *coarse = (
        one.score([scan])[0].findings
        for one in (scorer, *(scorer_in_scheme(scorer, each) for each in coarser_schemes(LayerScheme.DUKE_7)))
    )
    for findings in coarse:
        assert np.array_equal(findings.boundary_row_px[:, [0, -1]], fine.boundary_row_px[:, [0, -1]])
        layers = findings.document()["layers"]
        assert layers["boundary_names"] == list(BOUNDARY_NAMES[LayerScheme(layers["scheme"])])
    assert {findings.scheme for findings in coarse} == {LayerScheme.FIVE, LayerScheme.RETINA}
    assert all(findings.is_like_retina == fine.is_like_retina for findings in coarse)


def test_layers_that_a_model_does_not_tell_apart_are_refused_with_those_it_does(scorer):
    segmenter = copy(scorer._segmenter)
    segmenter.card = segmenter.card.model_copy(update={"scheme": LayerScheme.RETINA})
    coarse = VolumeScorer(segmenter)  # as a network that was trained on whole retinas
    with pytest.raises(UsageError, match=r"trained in the scheme retina and cannot tell the layers of five"):
        scorer_in_scheme(coarse, LayerScheme.FIVE)


def test_a_lane_without_layers_has_no_scheme():
    with pytest.raises(UsageError, match="octa-enface have no layers"):
        scorer_in_scheme(ObedientScorer(), LayerScheme.RETINA)


def test_score_writes_the_layers_in_the_scheme_asked_for(tmp_path):
    Image.fromarray(PHANTOM.image).save(tmp_path / "a.png")
    done = CliRunner().invoke(
        command,
        [str(tmp_path / "a.png"), "--out", str(tmp_path / "out"), "--kind", "volume", "--scheme", "retina"],
        catch_exceptions=False,
    )
    assert done.exit_code == 0
    record = json.loads((tmp_path / "out" / "results.jsonl").read_text())
    assert record["layers"]["scheme"] == "retina"
    assert record["layers"]["boundary_names"] == ["ILM", "RPE/Bruch"]
    with Image.open(tmp_path / "out" / record["layers"]["mask"]) as picture:
        assert set(np.unique(np.asarray(picture))) == {0, 1}
