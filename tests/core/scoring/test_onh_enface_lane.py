"""The ONH lane without a network: groupings, masks, findings, what a person must look at."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from core.errors import UsageError
from core.measures.indices import NO_LEVELS
from core.phantom.onh import render_onh
from core.phantom.onh_spec import OnhPhantomSpec
from core.policy.judge import ScanContext, judge
from core.policy.protocol import Protocol
from core.scoring.contract import ScanInput
from core.scoring.lanes.onh_enface import OnhNetworkOutput, cam_of, groupings_document, label_map, scores_of
from core.scoring.lanes.onh_input import MIN_SIDE_PX, PREPROCESSING, Grouping, onh_input
from core.scoring.lanes.onh_likeness import FEATURE_NAMES, onh_features
from core.scoring.onh_card import OnhCard
from core.training.calibrate import fit_likeness
from core.values import Measured, NotComputable, Scale
from core.vocabulary import (
    ArtifactType,
    GradeScale,
    ReasonCode,
    ScaleSource,
    ScanKind,
    Severity,
    Slab,
    Verdict,
)

SIZE_PX = 64
SCALE = Scale(6 / 200, 6 / 200, ScaleSource.MANIFEST)


def card(**changes):
    fields = {
        "name": "onh-enface", "version": "1.0", "kind": ScanKind.ONH_ENFACE, "weights_sha256": "a" * 64,
        "preprocessing": PREPROCESSING, "network": {}, "recipe": {}, "commands": (), "split": "", "data": (),
        "metrics": (), "known_failures": (), "intended_use": "", "labels": "", "grade_scale": GradeScale.ONH_4,
        "grouping": "0|1|2|3", "temperature": 1.0, "software": {}, "init_sha256": None, "choices": (),
    }  # fmt: skip
    return OnhCard(**fields | changes)


def output(grade=3, disc=(32, 32), dark_rows=0, broken=()):
    """A network's output on a square of 64 px: a disc of 10 px radius, dark rows at the top, broken lines."""
    rows, columns = np.mgrid[:SIZE_PX, :SIZE_PX]
    labels = np.zeros((SIZE_PX, SIZE_PX), int)
    if disc is not None:
        labels[(rows - disc[1]) ** 2 + (columns - disc[0]) ** 2 < 100] = 1
    labels[:dark_rows] = 3
    labels[list(broken)] = 4
    logits = np.where(np.arange(5)[:, None, None] == labels, 8.0, -8.0).astype(np.float32)
    maps = np.full((4, 2, 2), 0.5, np.float32)
    maps[:, 0] = 1.0
    return OnhNetworkOutput(np.where(np.arange(4) == grade, 3.0, 0.0).astype(np.float32), logits, maps)


def scored(found, scale=SCALE, size=(200, 200)):
    scan = ScanInput("a", np.full(size, 90, np.uint8), scale)
    return scores_of(scan, found, card(), seconds=0.1)


def test_there_are_seven_contiguous_groupings_and_names_read_back():
    every = Grouping.every()
    assert [grouping.name for grouping in every] == [
        "0|123", "01|23", "012|3", "0|1|23", "0|12|3", "01|2|3", "0|1|2|3",
    ]  # fmt: skip
    assert [Grouping.named(grouping.name) for grouping in every] == every


@pytest.mark.parametrize("name", ["", "0123", "02|13", "3|012", "0|1|2|3|4"])
def test_what_groups_no_grades_is_refused_with_the_list(name):
    with pytest.raises(UsageError, match=r"groups no grades.*012\|3"):
        Grouping.named(name)


def test_merged_probabilities_add_up():
    merged = Grouping.named("012|3").merged([0.1, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(merged, [0.6, 0.4])
    document = groupings_document((0.1, 0.2, 0.3, 0.4))
    assert document["0|1|23"] == {"0": 0.1, "1": 0.2, "23": 0.7}
    assert len(document) == 6
    assert all(sum(classes.values()) == pytest.approx(1) for classes in document.values())


def test_the_input_keeps_how_dark_a_scan_is():
    dark, bright = (onh_input(np.full((100, 80), level, np.uint8), SIZE_PX) for level in (20, 120))
    assert dark.shape == (SIZE_PX, SIZE_PX)
    assert dark.mean() < bright.mean() - 1


@pytest.mark.parametrize("shape", [(MIN_SIDE_PX - 1, 100), (100, 100, 3)])
def test_an_image_that_cannot_be_graded_says_what_it_is(shape):
    with pytest.raises(ValueError, match=str(shape[0])):
        onh_input(np.zeros(shape, np.uint8), SIZE_PX)


def test_masks_have_the_scans_own_size_and_artifacts_their_shares():
    scores = scored(output(grade=1, dark_rows=16, broken=(40, 41)), size=(200, 240))
    assert scores.shape_px == (200, 240)
    shares = {artifact.type: artifact for artifact in scores.artifacts}
    assert list(shares) == [ArtifactType.SHALLOW, ArtifactType.DARK, ArtifactType.MOTION]
    assert shares[ArtifactType.DARK].area_fraction == pytest.approx(0.25, abs=0.01)
    assert shares[ArtifactType.MOTION].line_fraction == pytest.approx(2 / 64, abs=0.006)
    assert shares[ArtifactType.SHALLOW].severity is Severity.NONE
    assert all(artifact.mask.shape == (200, 240) for artifact in scores.artifacts)


def test_probabilities_are_resized_and_never_class_numbers():
    logits = np.full((5, 4, 4), -9.0, np.float32)
    logits[0, :, :2] = 9.0
    logits[4, :, 2:] = 9.0
    found = label_map(logits, 40, 40)  # between 0 and 4 nothing else may arise
    assert set(np.unique(found)) == {0, 4}


def test_findings_tell_the_nerve_head_and_every_grouping():
    document = scored(output()).findings.document()
    assert document["onh"]["area_mm2"] == pytest.approx(np.pi * (10 * 6 / 64) ** 2, rel=0.05)
    assert document["onh"]["mask"] == "onh.png"
    assert max(document["groupings"]["012|3"], key=document["groupings"]["012|3"].get) == "3"


def test_the_nerve_heads_mask_is_a_picture_of_the_scans_size():
    findings = scored(output()).findings
    assert findings.exports() == {}
    with Image.open(io.BytesIO(findings.pictures()["onh.png"])) as picture:
        assert picture.size == (200, 200)
        assert (np.asarray(picture) > 0).sum() == findings.disc_mask.sum()


def test_without_a_nerve_head_or_far_off_centre_a_person_must_look():
    assert scored(output()).findings.doubts == ()
    assert scored(output(disc=None)).findings.doubts == (ReasonCode.IB_CENTRATION,)
    assert scored(output(disc=(50, 32))).findings.doubts == (ReasonCode.IB_CENTRATION,)
    assert scored(output(disc=None)).findings.document()["onh"] == {"not_computable": "no optic nerve head visible"}


def test_an_unusable_scan_without_severe_artifacts_is_said_to_lack_signal():
    assert scored(output(grade=0)).findings.causes == (ReasonCode.IB_SIGNAL,)
    assert scored(output(grade=0, dark_rows=20)).findings.causes == ()
    assert scored(output(grade=2)).findings.causes == ()


def test_levels_that_say_the_same_agree_wholly_and_others_by_what_they_share():
    level_3 = output(disc=(32, 32)).mask_logits
    same = scored(replace(output(disc=(32, 32)), level_3=level_3)).indices.q_level_agreement
    assert same == Measured(1.0)
    other = scored(replace(output(disc=(38, 32)), level_3=level_3)).indices.q_level_agreement
    assert isinstance(other, Measured)
    assert 0.3 < other.value < 0.7
    assert scored(output()).indices.q_level_agreement == NO_LEVELS


def test_lines_called_motion_have_no_say_in_the_agreement_of_levels():
    still = replace(output(disc=(38, 32)), level_3=output(disc=(32, 32)).mask_logits)
    moved = replace(output(disc=(38, 32), broken=(2, 3)), level_3=output(disc=(32, 32), broken=(2, 3)).mask_logits)
    assert scored(moved).indices.q_level_agreement == scored(still).indices.q_level_agreement


def test_a_picture_far_from_what_was_trained_with_is_no_disc_scan_and_the_reason_says_so():
    rng = np.random.default_rng(4)
    drawn = render_onh(OnhPhantomSpec(size_px=128), 1).image
    near = [np.clip(drawn * rng.uniform(0.7, 1.2) + rng.normal(0, 4, drawn.shape), 0, 255).astype(np.uint8)
            for _ in range(41)]  # fmt: skip
    features = np.stack([onh_features(image) for image in near[1:]])
    own = card(likeness=fit_likeness(features[:25], features[25:], FEATURE_NAMES))

    def scored(image):
        return scores_of(ScanInput("a", image, SCALE), output(), own, seconds=0.0)

    assert scored(near[0]).is_of_kind
    stranger = scored(np.full((200, 200), 255, np.uint8))
    assert not stranger.is_of_kind
    judgement = judge(stranger, Protocol.default(), ScanContext(scale=SCALE, slab=Slab.FULL_RETINA))
    assert judgement.verdict is Verdict.REVIEW
    assert [reason.code for reason in judgement.reasons] == [ReasonCode.NOT_OF_KIND]
    assert judgement.reasons[0].text == "This does not look like an en-face image of the optic disc."


@pytest.mark.parametrize("grade", range(4))
def test_without_calibration_scans_every_verdict_is_left_to_a_person(grade):
    scores = scored(output(grade=grade))
    assert scores.grade.abstained
    judgement = judge(scores, Protocol.default(), ScanContext(scale=SCALE, slab=Slab.FULL_RETINA))
    assert judgement.verdict is Verdict.REVIEW
    assert ReasonCode.ABSTAINED in [reason.code for reason in judgement.reasons]


def test_the_temperature_softens_the_probabilities():
    scan = ScanInput("a", np.full((100, 100), 90, np.uint8), None)
    sharp, soft = (scores_of(scan, output(), card(temperature=t), seconds=0.0).grade for t in (1.0, 3.0))
    assert sharp.ordinal == soft.ordinal == 3
    assert soft.probabilities["no concern"] < sharp.probabilities["no concern"]
    assert sum(soft.probabilities.values()) == pytest.approx(1)


def test_grad_cam_has_the_scans_size_and_none_without_evidence():
    cam = cam_of(np.array([[0.0, 2.0], [0.0, 1.0]], np.float32), 50, 70)
    assert cam.shape == (50, 70)
    assert cam.max() == 1
    assert cam_of(np.zeros((2, 2), np.float32), 50, 70) == NotComputable("no supporting evidence")


def test_agreement_of_grad_cam_and_masks_is_judged_for_unusable_scans_alone():
    assert isinstance(scored(output(grade=2)).cam_mask_agreement, NotComputable)
    at_the_top = scored(output(grade=0, dark_rows=32)).cam_mask_agreement
    assert isinstance(at_the_top, Measured)
    assert at_the_top.value == pytest.approx(2 / 3)  # the map's upper cells weigh 1, the lower ones 0.5
