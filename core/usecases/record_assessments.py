"""Writes one scored batch in one transaction: verdicts, assessments, states, counts, and the requests they answer.

Only scans that the claim still holds are written, so a batch that comes twice, or late, changes nothing again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from core.clock import now
from core.errors import SettingsError
from core.policy.judge import ScanContext, judge
from core.policy.protocol import Protocol
from core.scoring.acceptance import UNSEEN_CODES, unseen_codes
from core.scoring.card import Calibration
from core.scoring.contract import ScanFailure
from core.store.access import PROGRAM
from core.store.assessment import (
    Inherited,
    NewAssessment,
    NewBlob,
    StoredPictures,
    add_assessments,
    add_blobs,
    complete_inheritance,
    deep_scans_without_inheritance,
    ensure_model_version,
    superficial_grades,
)
from core.store.audit import record_event
from core.store.case import ScanCase, read_cases
from core.store.held_certificate import Held, read_held
from core.store.protocol import ProtocolInForce, read_protocols
from core.store.queue import Claim, Success, lock_held_scans, record_failure, record_successes
from core.store.rate import lock_slots, recount_slots
from core.store.reason import read_reasons
from core.store.stored_scores import read_scores
from core.usecases.draw_scans import ScoredCase, draw_scans
from core.usecases.reacquire import follow_replacements
from core.usecases.recheck_certificates import notice_software
from core.values import ModelIdentity, ScanScores
from core.vocabulary import ReasonCode, ScanState, Slab


@dataclass(frozen=True, slots=True)
class ScoredScan:
    """A scan's scores with its pictures, which already lie in the blob store."""

    scores: ScanScores
    pictures: StoredPictures
    blobs: tuple[NewBlob, ...]


@dataclass(frozen=True, slots=True)
class ScoredBatch:
    """What came out of one claim. ``scored`` is by scan id."""

    claim: Claim
    cases: Mapping[int, ScanCase]
    scored: Mapping[int, ScoredScan]
    failures: Sequence[ScanFailure]


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the scans that were claimed."""

    n_scored: int = 0
    n_failed: int = 0
    """Failed for good or to be tried again later."""
    n_lost: int = 0
    """No longer held when the scores were ready; whoever holds them now scores them."""

    @property
    def n_claimed(self) -> int:
        """All of them."""
        return self.n_scored + self.n_failed + self.n_lost

    def __str__(self) -> str:
        """For the log."""
        return f"{self.n_scored} scored, {self.n_failed} failed, {self.n_lost} lost"

    def __add__(self, other: "Tally") -> "Tally":
        """Both together."""
        return Tally(self.n_scored + other.n_scored, self.n_failed + other.n_failed, self.n_lost + other.n_lost)


@dataclass(slots=True)
class _Family:
    """The grades that deep slabs inherit within this transaction, by acquisition."""

    grades: dict[int, Inherited] = field(default_factory=dict)

    def inherited_by(self, case: ScanCase) -> Inherited | None:
        return self.grades.get(case.acquisition_id) if case.slab is Slab.DEEP else None

    def learn(self, case: ScanCase, scores: ScanScores) -> None:
        if case.slab is Slab.SUPERFICIAL and not scores.grade.abstained:
            self.grades[case.acquisition_id] = Inherited(case.scan_id, scores.grade.ordinal)


def record_assessments(
    session: Session,
    batch: ScoredBatch,
    *,
    identity: ModelIdentity,
    calibration: Calibration | None = None,
    card: Mapping[str, Any],
    max_failures: int,
) -> Tally:
    """Write what came out of one claim; return what became of its scans.

    The slots are locked first: two workers that score the two slabs of one capture see each other's grade, whoever
    comes first.
    """
    lock_slots(session, {case.expected_scan_id for case in batch.cases.values()})
    held = lock_held_scans(session, batch.claim)
    cases = [case for scan_id, case in batch.cases.items() if scan_id in held and scan_id in batch.scored]
    model_version_id = ensure_model_version(session, identity, card)
    add_blobs(session, [blob for case in cases for blob in batch.scored[case.scan_id].blobs])
    family = _Family(superficial_grades(session, {case.acquisition_id for case in cases}))
    held_by = read_held(session, cases)
    new = [
        _judged(case, batch.scored[case.scan_id], family, calibration, held_by)
        for case in sorted(cases, key=lambda case: case.slab is not Slab.SUPERFICIAL)
    ]
    ids = add_assessments(session, new, model_version_id=model_version_id)
    record_successes(session, [Success(each.scan_id, ids[each.scan_id], each.judgement.verdict) for each in new])
    draw_scans(session, [_scored(batch.cases[each.scan_id], each, ids[each.scan_id]) for each in new])
    superficial = [case.acquisition_id for case in cases if case.slab is Slab.SUPERFICIAL]
    _complete_deep_slabs(session, superficial, family)
    n_failed = _write_failures(session, batch, max_failures=max_failures)
    follow_replacements(session, actor=PROGRAM, acquisition_ids={case.acquisition_id for case in cases})
    recount_slots(session, {case.expected_scan_id for case in cases})
    notice_software(session, cases)
    return Tally(len(cases), n_failed, len(batch.claim.scan_ids) - len(cases) - n_failed)


def _scored(case: ScanCase, new: NewAssessment, assessment_id: int) -> ScoredCase:
    return ScoredCase(case, _protocol_of(case), assessment_id, new.judgement.verdict)


def _judged(
    case: ScanCase, scored: ScoredScan, family: _Family, calibration: Calibration | None, held: Held
) -> NewAssessment:
    """The scan's assessment, with the grade it inherits; superficial slabs must come first."""
    inherited, in_force = family.inherited_by(case), _protocol_of(case)
    family.learn(case, scored.scores)
    context = _context(case, inherited, _unseen(case, calibration), in_force.protocol, held)
    return NewAssessment(
        scan_id=case.scan_id,
        site_id=case.site_id,
        protocol_version_id=in_force.id,
        scores=scored.scores,
        judgement=judge(scored.scores, in_force.protocol, context),
        inherited=inherited,
        pictures=scored.pictures,
    )


def _complete_deep_slabs(session: Session, acquisition_ids: Iterable[int], family: _Family) -> None:
    """Judge deep slabs again that were scored before their superficial slab and so could not inherit its grade."""
    waiting = deep_scans_without_inheritance(session, acquisition_ids)
    cases = read_cases(session, waiting)
    held = read_held(session, cases.values())
    timeline = read_protocols(session, {case.study_id for case in cases.values()})
    for case in cases.values():
        inherited = family.inherited_by(case)
        if inherited is None:
            continue
        stored = read_scores(session, case.scan_id)
        # The version it was judged by, which a re-evaluation may have made another than that of its day.
        judged_by = timeline.version(stored.protocol_version_id) or _protocol_of(case)
        before = read_reasons(session, [stored.assessment_id]).get(stored.assessment_id, ())
        # Another model may have scored it: what that one had not seen stays unseen.
        unseen = tuple(reason.code for reason in before if reason.code in UNSEEN_CODES)
        context = _context(case, inherited, unseen, judged_by.protocol, held)
        judgement = judge(stored.scores, judged_by.protocol, context)
        complete_inheritance(session, stored.assessment_id, inherited, judgement)
        success = Success(case.scan_id, stored.assessment_id, judgement.verdict)
        record_successes(session, [success])
        record_event(
            session,
            actor=PROGRAM,
            action="scan.judged_again",
            entity="scan",
            entity_id=case.scan_id,
            study_id=case.study_id,
            site_id=case.site_id,
            after={"verdict": judgement.verdict, "state": success.state, "inherited_ordinal": inherited.ordinal},
            reason="The superficial slab of the same acquisition was scored.",
        )


def _unseen(case: ScanCase, calibration: Calibration | None) -> tuple[ReasonCode, ...]:
    return unseen_codes(
        calibration,
        slab=case.slab,
        field_mm=case.field_mm,
        device_model=case.device_model,
        vouched_devices=_protocol_of(case).protocol.known_devices,
    )


def _context(
    case: ScanCase, inherited: Inherited | None, unseen: tuple[ReasonCode, ...], protocol: Protocol, held: Held
) -> ScanContext:
    return ScanContext(
        scale=case.scale,
        slab=case.slab,
        laterality=case.laterality,
        inherited_ordinal=None if inherited is None else inherited.ordinal,
        is_window_open=case.is_window_open(now().date()),
        scan_type=case.scan_type,
        is_device_certified=held.is_device_certified(case, protocol),
        is_technician_certified=held.is_technician_certified(case, protocol),
        unseen=unseen,
    )


def _protocol_of(case: ScanCase) -> ProtocolInForce:
    if case.in_force is None:  # the loader has turned such scans into failures
        raise SettingsError(
            "The study has no protocol version, so nothing can be judged.", remedy="Publish one on the Admin page."
        )
    return case.in_force


def _write_failures(session: Session, batch: ScoredBatch, *, max_failures: int) -> int:
    states: list[ScanState | None] = [
        record_failure(
            session,
            batch.claim,
            int(failure.key),
            message=failure.message,
            is_transient=failure.is_transient,
            max_failures=max_failures,
        )
        for failure in batch.failures
    ]
    return sum(state is not None for state in states)
