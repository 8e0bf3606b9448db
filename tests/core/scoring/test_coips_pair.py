"""A folder with a COIPS pair scores scans: its grade and FAZ, and everything else as the bundled model says."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import save_file

from core.commands import score as score_command
from core.errors import UsageError
from core.networks.coips_faz import FazShape, build_faz
from core.networks.coips_quality import QualityShape, build_quality
from core.phantom.octa import render_octa
from core.phantom.spec import OctaPhantomSpec
from core.scoring.card import Calibration, CalibrationScan, sha256_of
from core.scoring.coips_card import CoipsCard, Member
from core.scoring.contract import ScanFailure, ScanInput
from core.scoring.registry import load_scorer
from core.scoring.torch_backend.coips import QualityGrader
from core.scoring.torch_backend.coips_pair import FAZ_NAME, QUALITY_NAME, CoipsPairScorer
from core.scoring.torch_backend.device import choose_device
from core.values import NotComputable
from core.vocabulary import ScanKind

CALIBRATION = Calibration(
    scans=tuple(
        CalibrationScan(group=f"S{number}", p_ungradable=0.2, ordinal=1, is_ungradable=False) for number in range(120)
    ),
    labels="",
    method="",
    sources=("phantoms",),
)
"""Enough scans to vouch for the default level of 1 %."""


def write_model(path, network, tensors, folds=()):
    save_file({name: value.clone() for name, value in tensors.items()}, path)
    card = CoipsCard(
        recipe_name=path.stem, version="1.0", weights_sha256=sha256_of(path), preprocessing="square-zscore/1",
        network=network.shape.model_dump(), best_fold=folds[0] if folds else None, recipe={}, software={}, commands=(),
        members=tuple(Member(fold=fold, n_epochs=1, kept_epoch=1, validation={}) for fold in folds),
        init_sha256=None, split="", data=(), metrics=(), choices=(), known_failures=(), intended_use="", labels="",
        calibration=None if folds else CALIBRATION,
    )  # fmt: skip
    path.with_suffix(".json").write_text(card.model_dump_json())


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    quality = build_quality(QualityShape(backbone="test_resnet", image_px=64), seed=1)
    write_model(folder / QUALITY_NAME, quality, quality.state_dict())
    faz = build_faz(FazShape(image_px=32, n_stages=3, base_channels=4), seed=1)
    tensors = {f"fold-{fold}.{name}": value for fold in (0, 1) for name, value in faz.state_dict().items()}
    write_model(folder / FAZ_NAME, faz, tensors, folds=(0, 1))
    return folder


@pytest.fixture(scope="module")
def scans():
    return [ScanInput(str(n), render_octa(OctaPhantomSpec(size_px=96), n).image, scale=None) for n in range(2)]


def test_the_pair_gives_grade_and_faz_and_the_bundled_model_the_rest(pair, scans):
    found = load_scorer(ScanKind.OCTA_ENFACE, model=str(pair), device="cpu").score(scans)
    bundled = load_scorer(ScanKind.OCTA_ENFACE, device="cpu").score(scans)
    grader = QualityGrader.load(pair / QUALITY_NAME, CoipsCard.beside(pair / QUALITY_NAME), choose_device("cpu"))
    expected = grader.probabilities([scan.image for scan in scans])
    for result, other, probabilities in zip(found, bundled, expected, strict=True):
        assert list(result.grade.probabilities.values()) == pytest.approx(probabilities.tolist())
        assert result.octa.faz_mask.shape == (96, 96)
        assert isinstance(result.cam, NotComputable)
        assert [item.area_fraction for item in result.artifacts] == [item.area_fraction for item in other.artifacts]
        assert result.is_of_kind == other.is_of_kind
        assert result.model.name == "coips-pair"
        assert result.model.weights_sha256 != other.model.weights_sha256


def test_the_accept_level_rests_on_the_pairs_own_test_part(pair):
    assert load_scorer(ScanKind.OCTA_ENFACE, model=str(pair), device="cpu").calibration == CALIBRATION


def test_a_scan_that_the_bundled_model_cannot_score_takes_no_other_with_it(pair, scans):
    tiny = ScanInput("tiny", np.zeros((8, 8), np.uint8), scale=None)
    first, second, third = load_scorer(ScanKind.OCTA_ENFACE, model=str(pair), device="cpu").score(
        [scans[0], tiny, scans[1]]
    )
    assert isinstance(second, ScanFailure)
    assert (first.model.name, third.model.name) == ("coips-pair", "coips-pair")


def test_on_out_of_memory_the_batch_is_halved_and_a_single_scan_fails_alone(pair, scans, monkeypatch):
    scorer = load_scorer(ScanKind.OCTA_ENFACE, model=str(pair), device="cpu")
    whole = QualityGrader.probabilities

    def short_of_memory(self, images):
        if len(images) > 1 or images[0] is scans[1].image:
            raise MemoryError
        return whole(self, images)

    monkeypatch.setattr(QualityGrader, "probabilities", short_of_memory)
    first, second = scorer.score(scans)
    assert first.model.name == "coips-pair"
    assert isinstance(second, ScanFailure)
    assert second.is_transient


def test_a_folder_without_the_pair_is_refused(tmp_path):
    joint = load_scorer(ScanKind.OCTA_ENFACE, device="cpu")
    with pytest.raises(UsageError, match=r"coips-quality\.safetensors is none"):
        CoipsPairScorer(joint, tmp_path, choose_device("cpu"))


def test_a_small_test_part_vouches_for_no_strict_level():
    few = CALIBRATION.model_copy(update={"scans": CALIBRATION.scans[:40]})
    with pytest.raises(UsageError, match="40 calibration scans vouch for"):
        score_command.protocol_at(None, few)
    assert score_command.protocol_at(0.03, few).conformal_level == 0.03


def test_the_score_command_takes_the_folder(pair, scans, tmp_path):
    Image.fromarray(scans[0].image).save(tmp_path / "scan.png")
    arguments = [str(tmp_path / "scan.png"), "--out", str(tmp_path / "out"), "--model", str(pair), "--device", "cpu"]
    assert CliRunner().invoke(score_command.command, arguments, catch_exceptions=False).exit_code == 0
    (line,) = (tmp_path / "out" / "results.jsonl").read_text().splitlines()
    assert "coips-pair" in json.dumps(json.loads(line))
