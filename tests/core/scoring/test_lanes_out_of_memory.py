"""Where memory runs out, in whatever words, the scan is tried again later and its batch lives."""

from collections.abc import Sequence
from importlib import import_module

import numpy as np
import pytest

from core.scoring.contract import ScanFailure, ScanInput
from core.scoring.registry import load_scorer
from core.values import ScanScores
from core.vocabulary import ScanKind

BACKEND = "core.scoring.torch_backend"
FORWARD = {
    ScanKind.ONH_ENFACE: f"{BACKEND}.onh_enface.OnhForward.__call__",
    ScanKind.BSCAN: f"{BACKEND}.bscan.BscanScorer.outputs",
    ScanKind.VOLUME: f"{BACKEND}.layers.LayerSegmenter.readings",
}


def runs_out(*_: object) -> None:
    raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")


def breaks(*_: object) -> None:
    raise RuntimeError("shapes do not fit")


def scans() -> list[ScanInput]:
    return [ScanInput(str(key), np.full((128, 128), 90, np.uint8), None) for key in range(3)]


@pytest.mark.parametrize("kind", FORWARD)
def test_a_scan_for_which_memory_is_lacking_may_be_tried_again(kind: ScanKind, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = load_scorer(kind, device="cpu")
    monkeypatch.setattr(FORWARD[kind], runs_out)
    found = scorer.score(scans())
    assert [(each.key, each.is_transient) for each in found if isinstance(each, ScanFailure)] == [
        ("0", True), ("1", True), ("2", True),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [ScanKind.ONH_ENFACE, ScanKind.BSCAN])
def test_where_memory_lacks_for_several_they_are_taken_one_by_one(
    kind: ScanKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = load_scorer(kind, device="cpu")
    module, owner, name = FORWARD[kind].rsplit(".", 2)
    forward = getattr(getattr(import_module(module), owner), name)

    def one_alone(own: object, images: Sequence[np.ndarray]) -> object:
        return forward(own, images) if len(images) == 1 else runs_out()

    monkeypatch.setattr(FORWARD[kind], one_alone)
    found = scorer.score(scans())
    assert [each.key for each in found if isinstance(each, ScanScores)] == ["0", "1", "2"]


@pytest.mark.parametrize("kind", FORWARD)
def test_any_other_fault_of_the_network_is_not_taken_for_it(kind: ScanKind, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = load_scorer(kind, device="cpu")
    monkeypatch.setattr(FORWARD[kind], breaks)
    with pytest.raises(RuntimeError, match="do not fit"):
        scorer.score(scans())
