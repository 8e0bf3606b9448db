"""From scores to a verdict with reasons, by a protocol version. Pure: no clock, no database.

In this order, the first that holds:

1. not an image of its lane's kind: review, with that reason alone;
2. a person must look - the model abstained, its calibration scans show no such device, field or slab, the slabs
   disagree in gradability, no FAZ is visible, the fovea is far off centre though the grade is good, evidence and
   artifacts disagree, the scan is not as the protocol says, device or technician are not certified, no scale where the
   protocol requires one: review;
3. ungradable, with at least one cause that is not the patient's, and the visit window open: reacquire;
4. ungradable otherwise: review;
5. else accept, without reasons.
"""

from dataclasses import dataclass, replace

from core.policy.protocol import Protocol
from core.policy.reasons import ARTIFACT_REASON, STRANGER_TEXTS
from core.values import ArtifactScore, Centration, Judgement, Measured, OctaFindings, Reason, Scale, ScanScores
from core.vocabulary import (
    CoipsGrade,
    Laterality,
    OperatorFixable,
    ReasonCode,
    Severity,
    Slab,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class ScanContext:
    """What the judgement needs to know beside the scores.

    ``inherited_ordinal`` is the grade of the superficial slab of the same capture, where this is a deep slab and that
    grade is known. ``scan_type`` None leaves the protocol's expectation unchecked. ``unseen``: reasons that say what of
    the scan the model's calibration does not cover.
    """

    scale: Scale | None
    slab: Slab
    laterality: Laterality | None = None
    inherited_ordinal: int | None = None
    is_window_open: bool = True
    scan_type: str | None = None
    is_device_certified: bool = True
    is_technician_certified: bool = True
    unseen: tuple[ReasonCode, ...] = ()


def judge(scores: ScanScores, protocol: Protocol, context: ScanContext) -> Judgement:
    """Verdict and reasons, the weightiest reason first."""
    if not scores.is_of_kind:
        return Judgement(Verdict.REVIEW, (_stranger(scores, protocol),))
    is_ungradable = effective_ordinal(scores, protocol, context) < CoipsGrade.GRADABLE
    doubts = _doubts(scores, protocol, context, is_ungradable=is_ungradable)
    causes = _causes(scores, protocol) if is_ungradable else []
    if doubts:
        return Judgement(Verdict.REVIEW, _worded(protocol, doubts + causes))
    if not is_ungradable:
        return Judgement(Verdict.ACCEPT, ())
    reasons = _worded(protocol, causes or [ReasonCode.UNGRADABLE])
    can_be_cured = bool(causes) and any(reason.operator_fixable is not OperatorFixable.NO for reason in reasons)
    return Judgement(Verdict.REACQUIRE if can_be_cured and context.is_window_open else Verdict.REVIEW, reasons)


def _stranger(scores: ScanScores, protocol: Protocol) -> Reason:
    """That a picture is none of its kind: in the study's words, else in those of the kind it was sent as."""
    if isinstance(scores.findings, OctaFindings):
        return protocol.reason(ReasonCode.NOT_OCTA)
    reason = protocol.reason(ReasonCode.NOT_OF_KIND)
    has_own_words = ReasonCode.NOT_OF_KIND in protocol.wording
    return reason if has_own_words else replace(reason, text=STRANGER_TEXTS.get(scores.grade.scale, reason.text))


def effective_ordinal(scores: ScanScores, protocol: Protocol, context: ScanContext) -> int:
    """The grade the verdict uses: the worse of the scan's own and its inherited one, or the inherited alone."""
    if context.inherited_ordinal is None:
        return scores.grade.ordinal
    return context.inherited_ordinal if protocol.inherit else min(scores.grade.ordinal, context.inherited_ordinal)


def _doubts(scores: ScanScores, protocol: Protocol, context: ScanContext, *, is_ungradable: bool) -> list[ReasonCode]:
    """Why a person must look, whatever the grade says."""
    centration, is_inherited = scores.centration, protocol.inherit and context.inherited_ordinal is not None
    checks = {
        ReasonCode.ABSTAINED: scores.grade.abstained and not is_inherited,
        ReasonCode.SLAB_DISAGREEMENT: not protocol.inherit and _slabs_disagree(scores, context),
        ReasonCode.NO_CENTRATION: centration is not None and centration.severity is None,
        ReasonCode.MP_CENTRATION: _is_off_centre(centration, Severity.SEVERE) and not is_ungradable,
        ReasonCode.CAM_DISAGREEMENT: is_ungradable and _evidence_lies_beside(scores, protocol),
        ReasonCode.PROTOCOL: context.scan_type is not None and not protocol.expects(context.scan_type),
        ReasonCode.UNCERTIFIED: not (context.is_device_certified and context.is_technician_certified),
        ReasonCode.NO_SCALE: protocol.requires_scale and context.scale is None,
    }
    found = [code for code, holds in checks.items() if holds]
    of_lane = () if isinstance(scores.findings, OctaFindings) else scores.findings.doubts
    return [*context.unseen, *found, *of_lane]


def _slabs_disagree(scores: ScanScores, context: ScanContext) -> bool:
    """One slab can be graded and the other cannot; outstanding against gradable is no disagreement."""
    if context.inherited_ordinal is None or scores.grade.abstained:
        return False
    return (scores.grade.ordinal >= CoipsGrade.GRADABLE) != (context.inherited_ordinal >= CoipsGrade.GRADABLE)


def _evidence_lies_beside(scores: ScanScores, protocol: Protocol) -> bool:
    wanted, found = protocol.smallest_cam_agreement, scores.cam_mask_agreement
    return wanted is not None and isinstance(found, Measured) and found.value < wanted


def _causes(scores: ScanScores, protocol: Protocol) -> list[ReasonCode]:
    """What explains an ungradable scan: severe artifacts, largest first; without any, the mild ones."""
    of_lane = [] if isinstance(scores.findings, OctaFindings) else list(scores.findings.causes)
    thresholds = protocol.artifact_borders.thresholds
    shares = sorted(((_share(artifact), artifact.type) for artifact in scores.artifacts), reverse=True)
    for severity in (Severity.SEVERE, Severity.MILD):
        codes = [ARTIFACT_REASON[kind] for share, kind in shares if thresholds.severity(share) is severity]
        if _is_off_centre(scores.centration, severity):
            codes.append(ReasonCode.MP_CENTRATION)
        if codes:
            return [*of_lane, *codes]
    return of_lane


def _is_off_centre(centration: Centration | None, severity: Severity) -> bool:
    return centration is not None and centration.severity is severity


def _share(artifact: ArtifactScore) -> float:
    return max(artifact.area_fraction, artifact.line_fraction or 0.0)


def _worded(protocol: Protocol, codes: list[ReasonCode]) -> tuple[Reason, ...]:
    return tuple(protocol.reason(code) for code in dict.fromkeys(codes))
