"""Cases made by hand: what a model said of images whose truth is known."""

import numpy as np
import pytest

from core.statistics import resampling
from core.statistics.overlap import mask_overlap
from core.training.evaluation.cases import Case, Verdict, Zone
from core.vocabulary import OCTA_ARTIFACTS, CoipsGrade

NOTHING = dict.fromkeys(OCTA_ARTIFACTS, 0)


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr(resampling, "N_RESAMPLES", 60)


def disc(radius, side=64):
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    return np.hypot(rows, columns) <= radius


@pytest.fixture
def make_case():
    """A case from what is out of the ordinary about it."""

    def make(index, *, said=CoipsGrade.GRADABLE, found=NOTHING, taken=True, **changes):
        probabilities = np.full(3, 0.1)
        probabilities[int(said)] = 0.8
        fractions = {kind: severity / 10 for kind, severity in found.items()}
        verdict = Verdict(
            probabilities,
            int(np.argmax(probabilities)),
            abstained=False,
            is_octa=taken,
            severities=found,
            area_fractions=fractions,
        )
        fields = {
            "key": f"octa_graded/{index}",
            "set": "octa_graded",
            "source": "SIM",
            "slab": "unknown",
            "field_mm": None,
            "group": str(index),
            "is_octa": True,
        }
        return Case(**fields | {"said": verdict} | changes)

    return make


@pytest.fixture
def make_zone():
    """A zone drawn as a disc and found as another."""

    def make(drawn_px, found_px, *, mm_per_px=3 / 64):
        truth = disc(drawn_px)
        found = disc(found_px) if found_px else np.zeros_like(truth)
        return Zone(np.full(truth.shape, 90, np.uint8), truth, found, mask_overlap(found, truth), mm_per_px)

    return make
