"""Judges stored scores as another protocol version would: no model runs, nothing is written.

Everything but the version stays as it was on the day of scoring: grade and probabilities, the inherited grade, and
whether the visit window was open that day. Shares and severities are taken from the stored numbers where the version
asks for the same region, and else measured anew from the stored masks. What people decided is never judged again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from core.errors import OctauditError
from core.policy.judge import ScanContext, judge
from core.policy.protocol import Protocol
from core.scoring.acceptance import unseen_codes, with_abstention
from core.scoring.card import Calibration, calibration_in
from core.scoring.pictures import decode_mask
from core.storage import BlobStore
from core.store.assessment import KnownAssessment, known_assessments
from core.store.case import ScanCase, read_cases
from core.store.held_certificate import Held, read_held
from core.store.model_version import read_cards
from core.store.protocol import ProtocolInForce, read_protocols
from core.store.re_evaluation import MetScan
from core.store.stored_scores import StoredScores, read_scores_of
from core.usecases.fit_to_protocol import measure_artifacts, measure_centration
from core.values import ArtifactScore, Judgement, OctaFindings, ScanScores
from core.vocabulary import Outcome, ScanState, Verdict

_OPEN_TO_JUDGING = frozenset({ScanState.ACCEPTED, ScanState.UNDER_REVIEW})


@dataclass(frozen=True, slots=True)
class Rejudged:
    """What another version makes of one scan. ``judgement`` and ``scores`` are None where it is left alone."""

    met: MetScan
    case: ScanCase
    before: StoredScores
    outcome: Outcome
    scores: ScanScores | None = None
    judgement: Judgement | None = None
    known: KnownAssessment | None = None
    """The assessment that this version and model reached before; it stands."""

    @property
    def verdict(self) -> Verdict | None:
        """What it would be; None where the scan is left alone."""
        if self.known is not None:
            return self.known.verdict
        return None if self.judgement is None else self.judgement.verdict

    @property
    def is_abstained(self) -> bool:
        """Whether the model would abstain; as it is where the scan is left alone."""
        if self.known is not None:
            return self.known.is_abstained
        return (self.scores or self.before.scores).grade.abstained


@dataclass(frozen=True, slots=True)
class _World:
    """What is read once for many scans."""

    version: ProtocolInForce
    earlier: Callable[[int], ProtocolInForce | None]
    calibrations: Mapping[int, Calibration | None]
    held: Held
    known: Mapping[tuple[int, int], KnownAssessment]
    blobs: BlobStore


def rejudge_scans(
    session: Session, met: Sequence[MetScan], version: ProtocolInForce, blobs: BlobStore
) -> tuple[Rejudged, ...]:
    """What ``version`` makes of these scans; those without a score are left out."""
    scan_ids = [each.scan_id for each in met]
    cases, stored = read_cases(session, scan_ids), read_scores_of(session, scan_ids)
    timeline = read_protocols(session, {case.study_id for case in cases.values()})
    cards = read_cards(session, {each.model_version_id for each in stored.values()})
    world = _World(
        version=version,
        earlier=timeline.version,
        calibrations={id_: calibration_in(card) for id_, card in cards.items()},
        held=read_held(session, cases.values()),
        known=known_assessments(session, scan_ids, protocol_version_id=version.id),
        blobs=blobs,
    )
    return tuple(
        _rejudged(each, cases[each.scan_id], stored[each.scan_id], world) for each in met if each.scan_id in stored
    )


def _rejudged(met: MetScan, case: ScanCase, before: StoredScores, world: _World) -> Rejudged:
    left = _why_left(met)
    if left is not None:
        return Rejudged(met, case, before, left)
    known = world.known.get((case.scan_id, before.model_version_id))
    if known is not None:
        outcome = Outcome.SAME if known.verdict is before.verdict else Outcome.CHANGED
        return Rejudged(met, case, before, outcome, known=known)
    earlier = world.earlier(before.protocol_version_id)
    if earlier is None:
        return Rejudged(met, case, before, Outcome.UNREADABLE)
    protocol, calibration = world.version.protocol, world.calibrations.get(before.model_version_id)
    try:
        measured = _measured(before, earlier.protocol, protocol, case, world.blobs)
    except (OctauditError, OSError, ValueError):
        return Rejudged(met, case, before, Outcome.UNREADABLE)
    scores = with_abstention(measured, calibration, protocol.conformal_level)
    judgement = judge(scores, protocol, context_of(case, before, protocol, calibration, world.held))
    outcome = Outcome.SAME if judgement.verdict is before.verdict else Outcome.CHANGED
    return Rejudged(met, case, before, outcome, scores, judgement)


def _why_left(met: MetScan) -> Outcome | None:
    """Why a scan is not judged again; None where it is."""
    if met.has_open_request:
        return Outcome.REQUESTED
    if met.is_decided:
        return Outcome.DECIDED
    return None if met.state in _OPEN_TO_JUDGING else Outcome.ENDED


def context_of(
    case: ScanCase, before: StoredScores, protocol: Protocol, calibration: Calibration | None, held: Held
) -> ScanContext:
    """The circumstances of the day on which the scan was scored, as this protocol sees them."""
    unseen = unseen_codes(
        calibration, slab=case.slab, field_mm=case.field_mm, device_model=case.device_model,
        vouched_devices=protocol.known_devices,
    )  # fmt: skip
    return ScanContext(
        scale=case.scale,
        slab=case.slab,
        laterality=case.laterality,
        inherited_ordinal=None if before.inherited is None else before.inherited.ordinal,
        is_window_open=case.is_window_open(before.scored_at.date()),
        scan_type=case.scan_type,
        is_device_certified=held.is_device_certified(case, protocol),
        is_technician_certified=held.is_technician_certified(case, protocol),
        unseen=unseen,
    )


def _measured(
    before: StoredScores, earlier: Protocol, wanted: Protocol, case: ScanCase, blobs: BlobStore
) -> ScanScores:
    """The stored measures as the wanted version has them; from masks only where numbers do not tell."""
    scores = before.scores
    if not scores.is_of_kind:
        return scores
    is_other_region = earlier.region_diameter_mm != wanted.region_diameter_mm and case.scale is not None
    is_off_centre = earlier.centration_borders.thresholds != wanted.centration_borders.thresholds
    if is_other_region or is_off_centre:
        scores = _with_masks(before, case, blobs)
    if is_off_centre:
        scores = measure_centration(scores, wanted, case.scale)
    if is_other_region:
        scores = measure_artifacts(scores, wanted, case.scale)
    elif earlier.artifact_borders.thresholds != wanted.artifact_borders.thresholds:
        scores = replace(scores, artifacts=tuple(_banded(each, wanted) for each in scores.artifacts))
    return scores


def _banded(artifact: ArtifactScore, protocol: Protocol) -> ArtifactScore:
    """The same share, by other borders."""
    share = max(artifact.area_fraction, artifact.line_fraction or 0.0)
    return replace(artifact, severity=protocol.artifact_borders.thresholds.severity(share))


def _with_masks(before: StoredScores, case: ScanCase, blobs: BlobStore) -> ScanScores:
    """The stored scores with their masks; where nothing was marked, an empty one."""

    def mask(sha256: str | None) -> NDArray[np.bool_]:
        if sha256 is None:
            return np.zeros((case.height_px, case.width_px), np.bool_)
        return decode_mask(blobs.get(sha256))

    masks = before.pictures.artifact_masks
    scores = before.scores
    artifacts = tuple(replace(each, mask=mask(masks.get(each.type))) for each in scores.artifacts)
    findings = scores.findings
    if isinstance(findings, OctaFindings):
        findings = replace(findings, faz_mask=mask(before.pictures.faz_mask))
    return replace(scores, shape_px=(case.height_px, case.width_px), artifacts=artifacts, findings=findings)
