"""What was found in a capture, as the counts hold it: its artifacts, and why it failed. Writes nothing.

A finding belongs to the capture, not to its slabs: the worst severity of any slab, the causes of all slabs that failed.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.database.tables import AssessmentArtifact, AssessmentReason, ReacquisitionRequest
from core.vocabulary import RateMeasure, ReasonCode, RequestState, Severity

DECENTRATION = "decentration"
"""Stands beside the artifact types: the fovea lies off the centre of the field."""

NOT_A_CAUSE = frozenset(
    {
        ReasonCode.ABSTAINED,
        ReasonCode.UNSEEN_DEVICE,
        ReasonCode.UNSEEN_FIELD,
        ReasonCode.UNSEEN_SLAB,
        ReasonCode.UNGRADABLE,
        ReasonCode.CAM_DISAGREEMENT,
        ReasonCode.LESION_DISAGREEMENT,
        ReasonCode.SLAB_DISAGREEMENT,
        ReasonCode.NO_SCALE,
        ReasonCode.PROTOCOL,
        ReasonCode.UNCERTIFIED,
    }
)
"""Reasons why a person must look, which do not say what is wrong with the picture."""


class Finding(NamedTuple):
    """One thing found in a capture: what is counted, and which."""

    measure: RateMeasure
    detail: str

    def __str__(self) -> str:
        """As acquisition.counted_findings holds it."""
        return f"{self.measure}:{self.detail}"

    @classmethod
    def parse(cls, text: str) -> "Finding":
        """The finding that ``str`` wrote."""
        measure, _, detail = text.partition(":")
        return cls(RateMeasure(measure), detail)


@dataclass(frozen=True, slots=True)
class SlabFinding:
    """What was found in one slab: artifacts that are there at all, and the reasons, the weightiest first."""

    artifacts: Mapping[str, Severity]
    reasons: tuple[str, ...]


def artifact_findings(slabs: Iterable[SlabFinding]) -> frozenset[Finding]:
    """The worst severity of each artifact over a capture's slabs; one that is nowhere is no finding."""
    worst: dict[str, Severity] = {}
    for slab in slabs:
        for name, severity in slab.artifacts.items():
            if severity is not Severity.NONE and worst.get(name) is not Severity.SEVERE:
                worst[name] = severity
    return frozenset(Finding(RateMeasure.ARTIFACT, f"{name} {severity}") for name, severity in worst.items())


def cause_findings(failed: Sequence[SlabFinding], requested: str | None) -> frozenset[Finding]:
    """Why a capture failed: ``requested`` is the reason with which a person asked for another, and comes first.

    Without any cause it failed for one that nobody measured (``octaudit:ungradable``).
    """
    codes = [requested] if requested else []
    codes += [code for slab in failed for code in slab.reasons]
    causes = list(dict.fromkeys(code for code in codes if code not in NOT_A_CAUSE)) or [ReasonCode.UNGRADABLE.value]
    return frozenset(
        {Finding(RateMeasure.FIRST_CAUSE, causes[0]), *(Finding(RateMeasure.CAUSE, code) for code in causes)}
    )


ANY_DEVIATION = "any"
"""Stands beside the kinds of deviation: a capture with several is one capture."""


def deviation_findings(kinds: Sequence[str]) -> frozenset[Finding]:
    """In what a capture is not as the protocol says, each kind and all together; nothing where it is."""
    details = [ANY_DEVIATION, *kinds] if kinds else []
    return frozenset(Finding(RateMeasure.DEVIATION, detail) for detail in details)


N_SCORE_BINS = 10
INDEX_STEPS = {"SS": 1.0, "QS": 1.0, "SQ": 1.0, "Q": 2.0}
"""Width of a bin of a device's quality index: indices of few steps (0 to 10), Heidelberg's in dB; others 5."""
INDEX_STEP = 5.0


def score_findings(
    slab: str, probabilities: Mapping[str, float], *, is_abstained: bool, is_of_kind: bool
) -> set[Finding]:
    """Where one slab's score lies, and whether the model abstained from it or met a stranger."""
    found = set()
    if (ungradable := probabilities.get("ungradable")) is not None:
        place = min(int(ungradable * N_SCORE_BINS), N_SCORE_BINS - 1)
        found.add(Finding(RateMeasure.SCORE, f"{slab} {place}"))
    if is_abstained:
        found.add(Finding(RateMeasure.ABSTAINED, slab))
    if not is_of_kind:
        found.add(Finding(RateMeasure.STRANGER, slab))
    return found


def index_finding(name: str, value: float) -> Finding:
    """Where a device's own quality index lies; the bin is named by its lower end."""
    step = INDEX_STEPS.get(name, INDEX_STEP)
    return Finding(RateMeasure.DEVICE_INDEX, f"{name} {step * (value // step):g}")


def read_artifacts(session: Session, assessment_ids: Iterable[int]) -> dict[int, dict[str, Severity]]:
    """Artifacts with their severity, mild or severe, by assessment."""
    rows = session.execute(
        select(AssessmentArtifact.assessment_id, AssessmentArtifact.type, AssessmentArtifact.severity).where(
            AssessmentArtifact.assessment_id.in_(sorted(set(assessment_ids))),
            AssessmentArtifact.severity != Severity.NONE.value,
        )
    )
    found: dict[int, dict[str, Severity]] = defaultdict(dict)
    for assessment_id, type_, severity in rows:
        found[assessment_id][type_] = Severity(severity)
    return found


def read_reason_codes(session: Session, assessment_ids: Iterable[int]) -> dict[int, tuple[str, ...]]:
    """Reason codes by assessment, the weightiest first."""
    rows = session.execute(
        select(AssessmentReason.assessment_id, AssessmentReason.code)
        .where(AssessmentReason.assessment_id.in_(sorted(set(assessment_ids))))
        .order_by(AssessmentReason.assessment_id, AssessmentReason.rank)
    )
    found: dict[int, tuple[str, ...]] = defaultdict(tuple)
    for assessment_id, code in rows:
        found[assessment_id] = (*found[assessment_id], code)
    return found


def read_requested(session: Session, scan_ids: Iterable[int]) -> dict[int, str]:
    """The reason of the first reacquisition request by the capture it asks to repeat; asked by scan, as indexed."""
    rows = session.execute(
        select(ReacquisitionRequest.acquisition_id, ReacquisitionRequest.reason_code)
        .where(
            ReacquisitionRequest.scan_id.in_(sorted(set(scan_ids))),
            ReacquisitionRequest.state != RequestState.WITHDRAWN,
        )
        .order_by(ReacquisitionRequest.id.desc())
    )
    return {acquisition_id: code for acquisition_id, code in rows}  # noqa: C416 - the first request overwrites later ones
