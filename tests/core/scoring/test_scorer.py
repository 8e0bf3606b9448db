"""The OCTA en-face scorer with the bundled weights: order, size, failure in place, memory, determinism, devices."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from core.errors import UsageError
from core.phantom.octa import render_octa
from core.phantom.spec import OctaPhantomSpec
from core.scoring import registry
from core.scoring.card import ModelCard, sha256_of
from core.scoring.contract import OPEN_LANES, ScanFailure, ScanInput
from core.scoring.registry import load_scorer, weights_path
from core.scoring.torch_backend.octa_enface import OctaEnfaceScorer
from core.values import NotComputable, ScanScores
from core.vocabulary import OCTA_ARTIFACTS, ScanKind

SIZES = [(304, 304), (320, 320), (512, 512), (304, 240)]


@pytest.fixture(scope="module")
def scorer() -> OctaEnfaceScorer:
    found = load_scorer(ScanKind.OCTA_ENFACE, device="cpu")
    assert isinstance(found, OctaEnfaceScorer)
    return found


@pytest.fixture(scope="module")
def scans() -> list[ScanInput]:
    image = render_octa(OctaPhantomSpec(size_px=512), 5).image
    return [ScanInput(f"{height}x{width}", image[:height, :width], None) for height, width in SIZES]


def test_every_result_has_its_inputs_key_order_and_size(scorer, scans):
    results = scorer.score(scans)
    assert [result.key for result in results] == [scan.key for scan in scans]
    for result, scan in zip(results, scans, strict=True):
        assert isinstance(result, ScanScores)
        assert result.octa.faz_mask.shape == scan.image.shape
        assert [artifact.type for artifact in result.artifacts] == list(OCTA_ARTIFACTS)
        assert all(artifact.mask.shape == scan.image.shape for artifact in result.artifacts)
        assert isinstance(result.cam, NotComputable) or result.cam.shape == scan.image.shape
        assert result.model == scorer.identity


def test_a_scan_that_cannot_be_scored_fails_alone(scorer, scans):
    too_small = ScanInput("tiny", np.zeros((8, 8), np.uint8), None)
    first, failure, last = scorer.score([scans[0], too_small, scans[1]])
    assert isinstance(failure, ScanFailure)
    assert "at least" in failure.message
    assert not failure.is_transient
    assert (first.key, last.key) == (scans[0].key, scans[1].key)


def test_no_scans_give_no_results(scorer):
    assert scorer.score([]) == []


def test_the_same_scan_scores_the_same_again_and_in_another_batch(scorer, scans):
    alone, again = scorer.score(scans[:1])[0], scorer.score(scans[:1])[0]
    in_batch = scorer.score([scans[2], scans[0], scans[1]])[1]
    assert alone.grade == again.grade
    assert np.array_equal(alone.octa.faz_mask, again.octa.faz_mask)
    assert (alone.octa.faz_mask & in_batch.octa.faz_mask).sum() >= 0.99 * (
        alone.octa.faz_mask | in_batch.octa.faz_mask
    ).sum()
    for label, probability in alone.grade.probabilities.items():
        assert in_batch.grade.probabilities[label] == pytest.approx(probability, abs=1e-3)


def test_two_threads_that_score_at_once_get_what_each_would_alone(scorer, scans):
    alone = scorer.score(scans)
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(scorer.score, [scans, scans[::-1]])
    for results in (first, second[::-1]):
        assert [one.key for one in results] == [one.key for one in alone]
        assert [one.grade.ordinal for one in results] == [one.grade.ordinal for one in alone]
        assert all(
            np.array_equal(one.octa.faz_mask, other.octa.faz_mask) for one, other in zip(results, alone, strict=True)
        )


class ForgetfulNetwork(torch.nn.Module):
    """Runs out of memory above a batch size, as a device does; else the real network."""

    def __init__(self, network, largest):
        super().__init__()
        self.network, self.largest, self.seen = network, largest, []
        self.grade_head, self.faz_refiner = network.grade_head, network.faz_refiner
        self.faz_finder, self.shape = network.faz_finder, network.shape

    def forward(self, image):
        self.seen.append(len(image))
        if len(image) > self.largest:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return self.network(image)


def forgetful(scorer, largest):
    network = ForgetfulNetwork(scorer._network, largest)
    return OctaEnfaceScorer(network, scorer._card, torch.device("cpu")), network


def test_out_of_memory_halves_the_batch_until_it_fits_and_remembers(scorer, scans):
    limited, network = forgetful(scorer, largest=2)
    assert all(isinstance(result, ScanScores) for result in limited.score(scans * 3))
    assert sorted(network.seen) == [*[2] * 6, *[4] * 3]
    assert [result.key for result in limited.score(scans)] == [scan.key for scan in scans]
    assert network.seen[-2:] == [2, 2]


def test_a_device_too_small_for_one_scan_fails_each_scan_as_transient(scorer, scans):
    limited, _ = forgetful(scorer, largest=0)
    failures = limited.score(scans[:3])
    assert all(isinstance(failure, ScanFailure) and failure.is_transient for failure in failures)


def test_other_faults_of_the_network_are_raised(scorer, scans):
    class Broken(torch.nn.Module):
        grade_head = scorer._network.grade_head

        def forward(self, image):
            raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape mismatch"):
        OctaEnfaceScorer(Broken(), scorer._card, torch.device("cpu")).score(scans)


def test_the_card_names_the_weights_it_lies_beside(scorer):
    weights = weights_path(ScanKind.OCTA_ENFACE)
    assert ModelCard.beside(weights).weights_sha256 == sha256_of(weights) == scorer.identity.weights_sha256
    assert weights.stat().st_size <= 16_000_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": ScanKind.OCTA_ENFACE, "model": "missing.safetensors"}, "has not both"),
        ({"kind": ScanKind.OCTA_ENFACE, "device": "tpu"}, "no device"),
    ],
)
def test_a_scorer_that_cannot_be_had_is_refused_in_words(arguments, message):
    with pytest.raises(UsageError, match=message):
        load_scorer(**arguments)


@pytest.mark.parametrize("kind", ScanKind)
def test_the_open_lanes_are_those_that_have_a_bundled_scorer(kind: ScanKind):
    if kind in OPEN_LANES:
        assert load_scorer(kind, device="cpu").kind is kind
        return
    with pytest.raises(UsageError, match="cannot be scored yet"):
        load_scorer(kind, device="cpu")


def test_a_lane_that_is_not_open_is_refused_in_words(monkeypatch):
    monkeypatch.setattr(registry, "OPEN_LANES", (ScanKind.OCTA_ENFACE,))
    with pytest.raises(UsageError, match="Scans of kind volume cannot be scored yet"):
        load_scorer(ScanKind.VOLUME, device="cpu")


def test_changed_weights_are_refused(tmp_path):
    weights = weights_path(ScanKind.OCTA_ENFACE)
    copy = tmp_path / weights.name
    copy.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    copy.with_suffix(".json").write_bytes(weights.with_suffix(".json").read_bytes())
    with pytest.raises(UsageError, match="sha256"):
        load_scorer(ScanKind.OCTA_ENFACE, model=str(copy), device="cpu")


def test_a_card_of_another_preprocessing_is_refused(tmp_path):
    weights = weights_path(ScanKind.OCTA_ENFACE)
    copy = tmp_path / weights.name
    copy.write_bytes(weights.read_bytes())
    card = weights.with_suffix(".json").read_text().replace("octa-canvas-256/2", "octa-canvas-512/9")
    copy.with_suffix(".json").write_text(card)
    with pytest.raises(UsageError, match="preprocessing"):
        load_scorer(ScanKind.OCTA_ENFACE, model=str(copy), device="cpu")
