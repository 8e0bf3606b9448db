"""What happened to the demo study's scans afterwards: reacquisition requests in every state, and masked grades."""

from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from core.phantom.demo_captures import Capturer
from core.phantom.demo_roster import BAD_SITE, GRADERS
from core.phantom.demo_values import SENT_AT, DemoAcquisition, DemoGrading, DemoRequest, DemoScan, DemoStep
from core.vocabulary import CoipsGrade, ReasonCode, RequestState

_CLOSED_SHARE = 0.5
_NOT_POSSIBLE_SHARE = 0.2
_FAILS_AGAIN = 0.12
"""Share of replacements that are ungradable again; three times as many at the bad site."""
_NOT_POSSIBLE_NOTES = (
    "The patient declined another scan.",
    "The patient moved away.",
    "Dense cataract: no better scan can be had before surgery.",
)
_N_GRADED = 90
"""Scans that both graders have graded."""
_SLIPS = {GRADERS[0]: 0.07, GRADERS[1]: 0.11}
"""How often each grader's grade is one step beside the truth."""
_REASONS = {
    "motion": ReasonCode.MP_MOTION,
    "shadow": ReasonCode.MP_SIGNAL,
    "low_signal": ReasonCode.MP_SIGNAL,
    "defocus": ReasonCode.MP_OBVIOUS,
    "decentration": ReasonCode.MP_CENTRATION,
}


def request_repeats(
    rng: np.random.Generator, capturer: Capturer, first_pass: list[DemoAcquisition], ends_on: date
) -> tuple[DemoRequest, ...]:
    """One request per ungradable capture old enough to have been looked at, each as far as it has come."""
    requests = []
    for acquisition in first_pass:
        asked_on = acquisition.acquired_at.date() + timedelta(days=int(rng.integers(1, 4)))
        if acquisition.is_poor and asked_on <= ends_on:
            requests.append(_request(rng, capturer, acquisition, asked_on, ends_on))
    return tuple(requests)


def _request(
    rng: np.random.Generator, capturer: Capturer, acquisition: DemoAcquisition, asked_on: date, ends_on: date
) -> DemoRequest:
    due_on = acquisition.visit.window_ends_on
    reason = _REASONS[max(_REASONS, key=lambda kind: float(getattr(acquisition.spec, kind)))]
    steps = [DemoStep(RequestState.REQUESTED, _noon(asked_on))]
    acknowledged_on = asked_on + timedelta(days=int(rng.integers(1, 4)))
    fate = rng.random()
    if acknowledged_on <= ends_on and fate < 0.93:  # noqa: PLR2004 - a few requests are never even acknowledged
        steps.append(DemoStep(RequestState.ACKNOWLEDGED, _noon(acknowledged_on)))
    ended_on = _working_day(acknowledged_on + timedelta(days=int(rng.integers(3, 15))))
    if ended_on > ends_on or len(steps) == 1 or fate > _CLOSED_SHARE + _NOT_POSSIBLE_SHARE:
        return DemoRequest(acquisition, reason, due_on, tuple(_maybe_scheduled(rng, steps, ends_on)))
    if fate > _CLOSED_SHARE:
        note = str(rng.choice(_NOT_POSSIBLE_NOTES))
        return DemoRequest(
            acquisition, reason, due_on, (*steps, DemoStep(RequestState.NOT_POSSIBLE, _noon(ended_on), note))
        )
    share = _FAILS_AGAIN * (3.0 if acquisition.site == BAD_SITE else 1.0)
    replacement = capturer.second_attempt(acquisition, ended_on, is_poor=bool(rng.random() < share))
    return DemoRequest(acquisition, reason, due_on, (*steps, *_answered(replacement, ends_on)), replacement)


def _maybe_scheduled(rng: np.random.Generator, steps: list[DemoStep], ends_on: date) -> list[DemoStep]:
    on = steps[-1].happened_at.date() + timedelta(days=1)
    if len(steps) > 1 and on <= ends_on and rng.random() < 0.5:  # noqa: PLR2004 - half have a date for the patient
        return [*steps, DemoStep(RequestState.SCHEDULED, _noon(on))]
    return steps


def _answered(replacement: DemoAcquisition, ends_on: date) -> list[DemoStep]:
    """Received the same day, graded the next; a good replacement closes the request, a poor one leaves it regraded."""
    received = datetime.combine(replacement.acquired_at.date(), SENT_AT)
    regraded = received + timedelta(days=1)
    steps = [DemoStep(RequestState.RECEIVED, received)]
    if regraded.date() <= ends_on:
        steps.append(DemoStep(RequestState.REGRADED, regraded))
        if not replacement.is_poor:
            steps.append(DemoStep(RequestState.CLOSED, regraded))
    return steps


def grade_masked(rng: np.random.Generator, first_pass: list[DemoAcquisition], ends_on: date) -> tuple[DemoGrading, ...]:
    """Both graders' grades of a random part of the scans, each wrong by one step now and then."""
    old_enough = [a for a in first_pass if a.acquired_at.date() + timedelta(days=7) <= ends_on]
    count = min(_N_GRADED, len(old_enough))
    chosen = sorted(rng.choice(len(old_enough), count, replace=False).tolist())
    gradings = []
    for number in chosen:
        scan: DemoScan = old_enough[number].scans[int(rng.random() < 0.3)]  # noqa: PLR2004 - a third are deep slabs
        for grader in GRADERS:
            slip = int(rng.choice([-1, 1])) if rng.random() < _SLIPS[grader] else 0
            ordinal = CoipsGrade(int(np.clip(scan.acquisition.foreseen + slip, 0, 2)))
            graded_at = scan.acquisition.acquired_at + timedelta(days=int(rng.integers(2, 7)))
            gradings.append(DemoGrading(scan, grader, ordinal, graded_at))
    return tuple(gradings)


def _working_day(day: date) -> date:
    """The day itself, or the Thursday or Friday before a weekend."""
    return day - timedelta(days=2) if day.weekday() >= 5 else day  # noqa: PLR2004 - Saturday


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12, 0), UTC)
