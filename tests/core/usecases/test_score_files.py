"""Scoring files without a database: release of the FAZ, failures in place, order, batches. The scorer is a fake."""

import json
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from PIL import Image
from volumes import make_volume

from core.phantom.vol_file import vol_chunks
from core.policy.protocol import Protocol
from core.scoring.card import Calibration
from core.scoring.contract import ScanFailure
from core.usecases.collect_files import collect_files
from core.usecases.score_files import ScoreRun, score_files
from core.values import (
    ArtifactScore,
    Centration,
    FazMetrics,
    Grade,
    ImageIndices,
    Measured,
    ModelIdentity,
    NotComputable,
    OctaFindings,
    ScanScores,
    VesselMetrics,
)
from core.vocabulary import OCTA_ARTIFACTS, GradeScale, ScanKind, Severity, Slab

LABELS = ("ungradable", "gradable", "outstanding")
IDENTITY = ModelIdentity("fake", "1", "0" * 64, "none")


def scores(scan, ordinal) -> ScanScores:
    nothing = np.zeros(scan.image.shape, bool)
    one = Measured(1.0)
    return ScanScores(
        key=scan.key,
        shape_px=scan.image.shape,
        grade=Grade(GradeScale.COIPS_3, ordinal, LABELS[ordinal], dict.fromkeys(LABELS, 1 / 3), abstained=False),
        artifacts=tuple(ArtifactScore(kind, 0.2, None, Severity.SEVERE, nothing) for kind in OCTA_ARTIFACTS),
        centration=Centration(Measured(0.1), Measured(0.03), Severity.NONE),
        findings=OctaFindings(
            nothing,
            FazMetrics(one, one, one, one, one, touches_border=False),
            VesselMetrics(NotComputable("the model has no large-vessel head"), one, one, one),
        ),
        indices=ImageIndices(one, one, one, one, NotComputable("no deep-supervision head")),
        cam=NotComputable("no supporting evidence"),
        cam_mask_agreement=one,
        is_of_kind=True,
        model=IDENTITY,
        seconds=0.1,
    )


@dataclass
class FakeScorer:
    """Grades every scan alike; fails those that are one level all over; remembers its batches."""

    ordinal: int = 1
    kind: ScanKind = ScanKind.OCTA_ENFACE
    identity: ModelIdentity = IDENTITY
    calibration: Calibration | None = None
    batches: list[int] = field(default_factory=list)

    def score(self, scans):
        self.batches.append(len(scans))
        return [
            ScanFailure(scan.key, "flat", is_transient=True) if scan.image.min() == scan.image.max()
            else scores(scan, self.ordinal)
            for scan in scans
        ]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    for index in range(7):
        image = np.full((80, 90), 9, np.uint8)
        image[: index + 1, :5] = 200 if index != 3 else 9
        Image.fromarray(image).save(root / f"{index}.png")
    return root


def run(folder, tmp_path, scorer, **options):
    files = collect_files([folder], out=tmp_path / "out", field_mm=(3, 3), slab=Slab.DEEP, manifest=None)
    seen = []
    tally = score_files(
        files,
        ScoreRun(
            scorer, tmp_path / "out", Protocol.default(), batch_size=3, max_megapixels=1, on_done=seen.append, **options
        ),
    )
    lines = (tmp_path / "out" / "results.jsonl").read_text().splitlines()
    return tally, [json.loads(line) for line in lines], seen


def test_records_keep_the_input_order_and_batches_the_size_asked_for(folder, tmp_path):
    scorer = FakeScorer()
    tally, records, seen = run(folder, tmp_path, scorer)
    assert [record["file"] for record in records] == [f"{index}.png" for index in range(7)]
    assert scorer.batches == [3, 3, 1]
    assert seen == list(range(1, 8))
    assert (tally.n_scored, tally.n_failed) == (6, 1)


def test_a_scan_the_model_cannot_score_is_an_error_in_its_place(folder, tmp_path):
    _, records, _ = run(folder, tmp_path, FakeScorer())
    error = records[3]["error"]
    assert error["code"] == "not_scored"
    assert "--batch-size" in error["remedy"]


@pytest.mark.parametrize(
    ("ordinal", "release", "faz"),
    [(0, False, {"not_computable": "ungradable"}), (0, True, {"area_mm2": 1.0}), (1, False, {"area_mm2": 1.0})],
)
def test_the_faz_of_an_ungradable_scan_is_withheld_unless_forced(folder, tmp_path, ordinal, release, faz):
    _, records, _ = run(folder, tmp_path, FakeScorer(ordinal), release_faz=release)
    assert records[0]["faz"].items() >= faz.items()
    assert (tmp_path / "out" / records[0]["faz"]["mask"]).is_file()


def test_a_scan_without_evidence_has_no_cam_and_an_old_one_is_removed(folder, tmp_path):
    stale = tmp_path / "out" / "cam" / "0.png"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"old")
    _, records, _ = run(folder, tmp_path, FakeScorer())
    assert records[0]["cam"] == {"not_computable": "no supporting evidence"}
    assert not stale.exists()


def test_the_verdict_is_that_of_the_default_protocol(folder, tmp_path):
    _, flagged, _ = run(folder, tmp_path, FakeScorer(0))
    assert flagged[0]["verdict"] == "reacquire"
    assert {reason["code"] for reason in flagged[0]["reasons"]} >= {"oscar-mp:M", "oscar-mp:S"}
    assert all(reason["remedy"] for reason in flagged[0]["reasons"])
    _, passed, _ = run(folder, tmp_path, FakeScorer(2))
    assert (passed[0]["verdict"], passed[0]["reasons"]) == ("accept", [])


def test_volumes_come_one_by_one_and_their_scale_is_that_of_their_bscans(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for name in ("a.vol", "b.vol"):
        volume = make_volume(n=5, width=64, side_mm=1.6)
        volume = replace(volume, bscans=rng.integers(0, 256, volume.bscans.shape, np.uint8))
        (folder / name).write_bytes(b"".join(vol_chunks(volume)))
    scorer = FakeScorer(kind=ScanKind.VOLUME)
    tally, records, _ = run(folder, tmp_path, scorer)
    assert (tally.n_scored, scorer.batches) == (2, [1, 1])
    scale = records[0]["scale"]
    assert (scale["x_mm_per_px"], scale["y_mm_per_px"], scale["source"]) == (0.025, 0.004, "file")
