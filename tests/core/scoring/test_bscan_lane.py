"""A lesion mask that covers nearly everything locates nothing: it is not given, and why is said."""

import numpy as np
import pytest
from numpy.typing import NDArray

from core.measures.retina_band import retina_band
from core.phantom.bscan_export import BscanExport, bscan_exports
from core.scoring.bscan_card import BscanCard
from core.scoring.contract import ScanInput
from core.scoring.lanes.bscan import (
    MOST_OF_RETINA,
    BscanFindings,
    BscanOutput,
    Lesion,
    PreparedBscan,
    prepare,
    scores_of,
    why_not_located,
)
from core.scoring.lanes.bscan_canvas import fill_white_borders
from core.scoring.registry import weights_path
from core.values import NotComputable
from core.vocabulary import ReasonCode, ScanKind

SIDE = 64


@pytest.fixture(scope="module")
def card() -> BscanCard:
    return BscanCard.beside(weights_path(ScanKind.BSCAN))


@pytest.fixture(scope="module")
def exports() -> tuple[BscanExport, ...]:
    return tuple(bscan_exports(24, 3, height_px=248, width_px=256))


@pytest.fixture(scope="module")
def ill(exports: tuple[BscanExport, ...]) -> PreparedBscan:
    drawn = next(export for export in exports if export.masks)
    return prepare(ScanInput("a", drawn.image, None), SIDE)


def output(chosen: int, lesion: NDArray[np.float32]) -> BscanOutput:
    """The network says this class, with evidence everywhere, and this mask."""
    probabilities = np.full(4, 0.1, np.float32)
    probabilities[chosen] = 0.7
    return BscanOutput(
        probabilities, np.ones((4, 5, 5), np.float32), np.zeros((5, 5), np.float32), lesion[None].astype(np.float32)
    )


def findings_of(prepared: PreparedBscan, said: BscanOutput, card: BscanCard) -> tuple[BscanFindings, object]:
    scores = scores_of(prepared, said, card, seconds=0.0)
    assert isinstance(scores.findings, BscanFindings)
    return scores.findings, scores.cam_mask_agreement


def small() -> NDArray[np.float32]:
    mask = np.zeros((SIDE, SIDE), np.float32)
    mask[30:34, 30:36] = 1
    return mask


def test_a_small_mask_is_given_with_its_picture(ill: PreparedBscan, card: BscanCard) -> None:
    found, agreement = findings_of(ill, output(1, small()), card)
    assert [lesion.name for lesion in found.lesions] == ["cnv"]
    assert found.not_located is None
    assert "lesion.png" in found.pictures()
    assert "lesion_place" not in found.document()
    assert not isinstance(agreement, NotComputable)


@pytest.mark.parametrize("chosen", [0, 1], ids=["called normal", "called ill"])
def test_a_mask_of_nearly_everything_is_not_given_and_why_is_said(
    ill: PreparedBscan, card: BscanCard, chosen: int
) -> None:
    found, agreement = findings_of(ill, output(chosen, np.ones((SIDE, SIDE), np.float32)), card)
    assert found.lesions == ()
    assert found.unasked is None
    assert set(found.pictures()) == {"coarse.png"}
    assert found.document()["lesion_place"] == {
        "not_computable": "the network marked 100 % of the picture, too much to be a lesion"
    }
    assert isinstance(agreement, NotComputable)
    assert found.doubts == ((ReasonCode.LESION_DISAGREEMENT,) if chosen else ())


@pytest.mark.parametrize(("n_rows", "is_located"), [(10, True), (11, False)])
def test_the_retinas_own_area_is_the_measure(n_rows: int, is_located: bool) -> None:
    band, mask = np.zeros((100, 100), np.bool_), np.zeros((100, 100), np.bool_)
    band[40:60] = True
    mask[:n_rows] = True
    marked = (Lesion("cnv", float(mask.mean()), 1, mask),)
    assert n_rows - 1 <= MOST_OF_RETINA * 20 <= 10
    assert (why_not_located(marked, band) is None) is is_located


def test_lesions_of_phantoms_are_far_from_that_large(exports: tuple[BscanExport, ...]) -> None:
    shares = []
    for export in exports:
        if export.masks:
            mask = np.any([np.asarray(drawn) > 0 for drawn in export.masks.values()], axis=0)
            shares.append(mask.mean() / retina_band(fill_white_borders(export.image)).mean())
    assert len(shares) > 10
    assert max(shares) < 0.7 * MOST_OF_RETINA
