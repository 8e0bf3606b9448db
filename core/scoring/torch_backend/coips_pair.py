"""Scores OCTA en-face scans with a user's COIPS pair: its grade and FAZ in place of the joint network's."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import torch

from core.measures.centration import centration
from core.measures.faz import faz_component, faz_metrics
from core.scoring.card import Calibration
from core.scoring.coips_card import CoipsCard
from core.scoring.contract import ScanFailure, ScanInput, Scorer
from core.scoring.lanes.octa_enface import MIN_FAZ_FRACTION
from core.scoring.torch_backend.coips import FazSegmenter, Folds, QualityGrader
from core.scoring.torch_backend.device import NO_MEMORY, is_out_of_memory
from core.values import Grade, ModelIdentity, NotComputable, ScanScores
from core.vocabulary import CoipsGrade, GradeScale, ScanKind

QUALITY_NAME, FAZ_NAME = "coips-quality.safetensors", "coips-faz.safetensors"
FAZ_THRESHOLD = 0.5
"""Of two classes the likelier one wins."""
FORWARD_BATCH = 8

_NO_MAP = NotComputable("the grade comes from a COIPS model, which gives no map")


class CoipsPairScorer:
    """A Scorer that asks another first, and lets the pair overrule its grade and its FAZ.

    Artifact masks, image indices, vessel measures and the check that an image is OCTA at all stay the other's: COIPS
    has none of them, and a stranger must not be graded silently. Grad-CAM is not given.
    """

    def __init__(self, joint: Scorer, folder: Path, device: torch.device, folds: Folds = Folds.ALL) -> None:
        self._joint = joint
        quality, faz = folder / QUALITY_NAME, folder / FAZ_NAME
        self._cards = CoipsCard.beside(quality), CoipsCard.beside(faz)
        self._grader = QualityGrader.load(quality, self._cards[0], device)
        self._segmenter = FazSegmenter.load(faz, self._cards[1], device, folds)

    @property
    def kind(self) -> ScanKind:
        """OCTA en face."""
        return self._joint.kind

    @property
    def identity(self) -> ModelIdentity:
        """The three models under one name; the hash is that of their three hashes."""
        joint, (quality, faz) = self._joint.identity, self._cards
        hashes = joint.weights_sha256 + quality.weights_sha256 + faz.weights_sha256
        return ModelIdentity(
            name="coips-pair",
            version=f"{quality.version}+{faz.version}+{joint.name} {joint.version}",
            weights_sha256=sha256(hashes.encode()).hexdigest(),
            preprocessing=f"{quality.preprocessing}+{joint.preprocessing}",
        )

    @property
    def calibration(self) -> Calibration | None:
        """What the grader said of the test part of its own training."""
        return self._cards[0].calibration

    def score(self, scans: Sequence[ScanInput]) -> list[ScanScores | ScanFailure]:
        """Score a batch; one result per scan, in order."""
        results = self._joint.score(scans)
        for start in range(0, len(scans), FORWARD_BATCH):
            self._overrule(scans[start : start + FORWARD_BATCH], results, start)
        return results

    def _overrule(self, scans: Sequence[ScanInput], results: list[ScanScores | ScanFailure], start: int) -> None:
        """Replace grade and FAZ of these scans' results; halves the batch itself on out-of-memory."""
        scored = [(place, scan) for place, scan in enumerate(scans, start) if isinstance(results[place], ScanScores)]
        if not scored:
            return
        images = [scan.image for _, scan in scored]
        try:
            grades, maps = self._grader.probabilities(images), self._segmenter.probabilities(images)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            if len(scans) == 1:
                results[start] = ScanFailure(scans[0].key, NO_MEMORY, is_transient=True)
                return
            half = len(scans) // 2
            self._overrule(scans[:half], results, start)
            self._overrule(scans[half:], results, start + half)
            return
        for (place, scan), grade, found in zip(scored, grades, maps, strict=True):
            result = results[place]
            assert isinstance(result, ScanScores)
            zone = faz_component(found > FAZ_THRESHOLD)
            zone = zone if zone.mean() >= MIN_FAZ_FRACTION else zone & False
            results[place] = replace(
                result,
                grade=_grade(grade.tolist()),
                findings=replace(result.octa, faz_mask=zone, faz=faz_metrics(zone, scan.scale)),
                centration=centration(zone, scan.scale),
                cam=_NO_MAP,
                cam_mask_agreement=_NO_MAP,
                model=self.identity,
            )


def _grade(probabilities: Sequence[float]) -> Grade:
    """The likeliest grade. Whether a person is asked is the study's matter (core.scoring.acceptance)."""
    likeliest = max(CoipsGrade, key=lambda grade: probabilities[grade])
    return Grade(
        scale=GradeScale.COIPS_3,
        ordinal=int(likeliest),
        label=likeliest.name.lower(),
        probabilities={grade.name.lower(): float(probabilities[grade]) for grade in CoipsGrade},
        abstained=False,
    )
