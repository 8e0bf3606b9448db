"""Scores again what orders of a lane ask for, beside normal work: a batch at a time, while no other scan waits.

What comes out is an assessment beside the one that counts, under the same protocol version and the circumstances of its
day. Nothing counts by it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from core.clock import now
from core.database.session import Database, session_scope
from core.errors import ScoringError
from core.policy.judge import judge
from core.scoring.contract import ScanFailure, ScanInput, Scorer
from core.settings import Settings
from core.storage import BlobStore
from core.store import rescoring_queue as queue
from core.store.access import Actor
from core.store.assessment import Inherited, NewAssessment, add_assessments, add_blobs
from core.store.case import ScanCase, read_cases
from core.store.held_certificate import read_held
from core.store.protocol import ProtocolInForce, read_protocols
from core.store.rescoring import read_rescoring
from core.store.rescoring_queue import RescoringClaim
from core.store.stored_scores import StoredScores, read_scores_of
from core.usecases.fit_to_protocol import fit_to_protocol
from core.usecases.order_rescoring import record_end
from core.usecases.record_assessments import ScoredScan
from core.usecases.rejudge_scans import context_of
from core.usecases.scan_pixels import load_scan, store_pictures
from core.values import ScanScores
from core.vocabulary import ReEvaluationState, ScanKind, Slab

ScorerOf = Callable[[int], Scorer | None]
"""The loaded scorer of a model version; None where it cannot be loaded."""


@dataclass(frozen=True, slots=True)
class SideLine:
    """What a worker needs to score again beside its normal work; ``should_pause`` is asked before each batch."""

    database: Database
    blobs: BlobStore
    lane: ScanKind
    scorer_of: ScorerOf
    settings: Settings
    should_pause: Callable[[], bool]


def rescore_scans(line: SideLine) -> int:
    """Score what orders of the lane ask for, until nothing is left or it should pause; how many scans were seen to.

    Raises
    ------
    ScoringError
        A model failed on a whole batch, which comes again; the caller should load the model anew.
    """
    n_done = 0
    while not line.should_pause():
        with session_scope(line.database) as session:
            wanted = queue.wanted_versions(session, line.lane)
        scorers = {id_: line.scorer_of(id_) for id_ in wanted}  # may take seconds: outside any transaction
        with session_scope(line.database) as session:
            claim = _claim(session, line, [id_ for id_, scorer in scorers.items() if scorer is not None])
        if not claim:
            break
        scorer = scorers[claim.version_id]
        assert scorer is not None, "only scans of loaded models are claimed"
        _score_claim(line, claim, scorer)
        n_done += len(claim.scan_ids)
    return n_done


def _claim(session: Session, line: SideLine, version_ids: Sequence[int]) -> RescoringClaim | None:
    settings = line.settings
    return queue.claim_rescoring(
        session, lane=line.lane, version_ids=version_ids, limit=settings.worker_batch_size,
        lease=settings.worker_batch_timeout + settings.worker_lease, max_attempts=settings.worker_max_losses,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Work:
    """One claim with what counts for its scans, and the protocol version that this was judged by."""

    claim: RescoringClaim
    scorer: Scorer
    cases: Mapping[int, ScanCase]
    before: Mapping[int, StoredScores]
    versions: Mapping[int, ProtocolInForce]


def _score_claim(line: SideLine, claim: RescoringClaim, scorer: Scorer) -> None:
    work = _prepared(line, claim, scorer)
    loaded = [load_scan(line.blobs, case) for case in work.cases.values()]
    inputs = [scan for scan in loaded if isinstance(scan, ScanInput)]
    results: list[ScanScores | ScanFailure] = [scan for scan in loaded if isinstance(scan, ScanFailure)]
    try:
        results += scorer.score(inputs) if inputs else []
    except Exception as error:
        with session_scope(line.database) as session:
            queue.give_back(session, claim)
        raise ScoringError(
            f"The model failed on {len(inputs)} scans that are scored again: {type(error).__name__}: {error}",
            remedy="They come again, one at a time.",
        ) from error
    _write(line, work, results)


def _prepared(line: SideLine, claim: RescoringClaim, scorer: Scorer) -> _Work:
    with session_scope(line.database) as session:
        cases = read_cases(session, claim.scan_ids)
        before = read_scores_of(session, claim.scan_ids)
        timeline = read_protocols(session, {case.study_id for case in cases.values()})
    found = {scan_id: timeline.version(stored.protocol_version_id) for scan_id, stored in before.items()}
    versions = {scan_id: version for scan_id, version in found.items() if version is not None}
    return _Work(claim, scorer, cases, before, versions)


def _write(line: SideLine, work: _Work, results: Sequence[ScanScores | ScanFailure]) -> None:
    """Fit to the protocol that counts, store the pictures, then write the assessments in one transaction."""
    scored: dict[int, ScoredScan] = {}
    for scores in (each for each in results if isinstance(each, ScanScores)):
        scan_id = int(scores.key)
        if (version := work.versions.get(scan_id)) is not None:
            case = work.cases[scan_id]
            fitted = fit_to_protocol(scores, version.protocol, case.scale, work.scorer.calibration)
            scored[scan_id] = store_pictures(line.blobs, fitted)
    failures = {int(each.key): each.message for each in results if isinstance(each, ScanFailure)}
    with session_scope(line.database) as session:
        held = queue.lock_held(session, work.claim)
        kept = {scan_id: each for scan_id, each in scored.items() if scan_id in held}
        add_blobs(session, [blob for each in kept.values() for blob in each.blobs])
        ids = add_assessments(session, _assessments(session, work, kept), model_version_id=work.claim.version_id)
        queue.note_scored(session, work.claim, ids)
        for scan_id in held - kept.keys():
            message = failures.get(scan_id, "It has no score, or no protocol version, any more.")
            queue.note_failed(session, work.claim, scan_id, message)
        _end_if_done(session, work.claim.rescoring_id)


def _assessments(session: Session, work: _Work, scored: Mapping[int, ScoredScan]) -> list[NewAssessment]:
    """Judged as on the day of the score that counts, with the grade that this model gave the superficial slab."""
    held = read_held(session, [work.cases[scan_id] for scan_id in scored])
    grades = _superficial_grades(session, work, scored)
    new = []
    for scan_id, each in scored.items():
        case, protocol = work.cases[scan_id], work.versions[scan_id].protocol
        inherited = grades.get(case.acquisition_id) if case.slab is Slab.DEEP else None
        of_its_day = replace(work.before[scan_id], inherited=inherited)
        context = context_of(case, of_its_day, protocol, work.scorer.calibration, held)
        new.append(
            NewAssessment(
                scan_id=scan_id,
                site_id=case.site_id,
                protocol_version_id=work.versions[scan_id].id,
                scores=each.scores,
                judgement=judge(each.scores, protocol, context),
                inherited=inherited,
                pictures=each.pictures,
            )
        )
    return new


def _superficial_grades(session: Session, work: _Work, scored: Mapping[int, ScoredScan]) -> dict[int, Inherited]:
    """What this model said of the superficial slabs of the same captures, before and in this batch."""
    capture_ids = {work.cases[scan_id].acquisition_id for scan_id in scored}
    grades = queue.superficial_grades_by(session, capture_ids, work.claim.version_id)
    for scan_id, each in scored.items():
        case, grade = work.cases[scan_id], each.scores.grade
        if case.slab is Slab.SUPERFICIAL and not grade.abstained:
            grades[case.acquisition_id] = Inherited(scan_id, grade.ordinal)
    return grades


def _end_if_done(session: Session, rescoring_id: int) -> None:
    if not queue.end_if_done(session, rescoring_id, at=now()):
        return
    order = read_rescoring(session, rescoring_id)
    assert order is not None, "it has just ended"
    requester = Actor(order.requested_by_id, order.requested_by, order.requested_by, ())
    record_end(session, requester, replace(order, state=ReEvaluationState.RUNNING), ReEvaluationState.DONE,
                reason=order.reason)  # fmt: skip
