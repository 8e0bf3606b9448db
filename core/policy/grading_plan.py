"""How many people grade which scans, and when their grades settle: a study's grading plan, its draw and its rule. Pure.

The draw asks a hash, not a random generator: whoever has the ids can repeat it, and nobody can choose its outcome. A
scan's id is given by the database, so a site cannot try images until one is not drawn.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from core.errors import IllegalMoveError
from core.vocabulary import GradingState

_Share = Annotated[float, Field(ge=0.0, le=1.0)]
_BYTES = 8


class SettlingRule(StrEnum):
    """When the graders' own grades settle a scan without an adjudicator."""

    UNANIMOUS = "unanimous"
    """Every grader gives the same grade; any other scan is ambiguous. How COIPS was labelled."""
    MAJORITY = "majority"
    """More than half give the same grade, and nobody is two steps away from it."""


class Draw(StrEnum):
    """What a scan is drawn for. Part of the hash: a scan drawn for one is not therefore drawn for another."""

    GRADING = "grading"
    """Masked grading by several."""
    SENIOR_CHECK = "senior-check"
    """The adjudicator looks at it although the graders agree."""
    REPEAT = "repeat"
    """The same grader gets it again."""
    ACCEPTED_CHECK = "accepted-check"
    """A person checks a scan that the model accepted."""


class GradingPlan(BaseModel):
    """Who grades how much, as a part of the protocol. Shares are of the scans named, drawn by hash.

    The defaults follow COIPS, section 2.2: three ophthalmologists label independently, a senior one judges what is
    ambiguous, and a senior one checks 10 % of all. COIPS labelled every image; a study that runs on a model draws a
    share. What COIPS does not say is ours: the shares drawn, the repeat by the same grader (intra-grader agreement)
    and the days.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_graders: int = Field(default=3, ge=2, le=3)
    """Graders of one scan. COIPS: three."""
    rule: SettlingRule = SettlingRule.UNANIMOUS
    """COIPS: what is ambiguous goes to the adjudicator."""
    graded_share: _Share = 0.10
    """Share of the scored scans that are graded masked."""
    senior_check_share: _Share = 0.10
    """Share of the scans on which the graders agree that the adjudicator checks all the same. COIPS: 10 %."""
    repeat_share: _Share = 0.10
    """Share of a grader's scans that come back to the same grader."""
    repeat_after_days: int = Field(default=28, ge=1, le=365)
    """Days until they do: long enough not to be remembered, short enough to find drift within a study."""
    due_days: int = Field(default=7, ge=1, le=90)
    """Days within which a grade is expected; the image quality decision itself is due in two or three."""
    accepted_check_share: _Share = 0.02
    """Share of the scans that the model accepted which a person checks: what the accept level promises, measured."""
    hides_model: bool = False
    """Calibration mode for every quality-control technician of the study: first the own grade, then the model's."""


class Settlement(StrEnum):
    """How a scan's consensus came about."""

    AGREEMENT = "agreement"
    """The graders' own grades settled it."""
    ADJUDICATION = "adjudication"
    """The adjudicator's grade, after a disagreement or as the senior check."""


MOVES: Mapping[GradingState, frozenset[GradingState]] = {
    GradingState.DRAWN: frozenset({GradingState.ASSIGNED}),
    GradingState.ASSIGNED: frozenset({GradingState.TO_ADJUDICATE, GradingState.SETTLED}),
    GradingState.TO_ADJUDICATE: frozenset({GradingState.SETTLED}),
    GradingState.SETTLED: frozenset(),
}
"""From state to state: drawn, handed out, graded by each, then agreed on or adjudicated. Settled is the end."""


def require_move(now: GradingState, then: GradingState) -> None:
    """IllegalMoveError where the state machine has no such step."""
    if then not in MOVES[now]:
        allowed = " or ".join(sorted(state.value.replace("_", " ") for state in MOVES[now]))
        raise IllegalMoveError(
            f"This grading is {now.value.replace('_', ' ')} and cannot become {then.value.replace('_', ' ')}.",
            remedy=f"From here it becomes {allowed}." if allowed else "It has come to its end.",
        )


def is_drawn(draw: Draw, share: float, *ids: int) -> bool:
    """Whether these ids (study and scan, and the grader of a repeat) fall within ``share``; always the same answer."""
    return _position(draw.value, *ids) < share


def settled_ordinal(rule: SettlingRule, ordinals: Sequence[int]) -> int | None:
    """The grade on which the graders' grades settle under ``rule``; None where an adjudicator is needed."""
    (ordinal, n_equal), *_ = Counter(ordinals).most_common(1)
    if n_equal == len(ordinals):
        return ordinal
    is_near = all(abs(other - ordinal) <= 1 for other in ordinals)
    return ordinal if rule is SettlingRule.MAJORITY and 2 * n_equal > len(ordinals) and is_near else None


def choose_people(
    eligible: Collection[int], n_open: Mapping[int, int], *, wanted: int, scan_id: int
) -> tuple[int, ...]:
    """Up to ``wanted`` of the people, those with the fewest open scans first; equal ones in an order of the scan's own.

    Without the second half the person with the lowest id would get every first scan.
    """
    ranked = sorted(eligible, key=lambda person: (n_open.get(person, 0), _position("order", scan_id, person), person))
    return tuple(ranked[:wanted])


def _position(*parts: object) -> float:
    """Where the parts fall in [0, 1), evenly and for ever."""
    digest = hashlib.sha256(":".join(str(part) for part in ("octaudit", *parts)).encode()).digest()
    return float(int.from_bytes(digest[:_BYTES]) / 2 ** (8 * _BYTES))
