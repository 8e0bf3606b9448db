"""How many scans of a list are looked at before the rest is accepted unseen, and which may be among them. Pure.

The rule: the larger of ``SMALLEST_SAMPLE`` and ``SAMPLE_SHARE`` of the list, never more than there is. A long list in
which a share p would have been disagreed with passes a sample of k with probability (1 - p)^k (``pass_probability``):
at 5 scans a list with every third one wrong passes one time in eight, at 30 scans a list with every tenth one wrong one
time in twenty-four. A sample is a check and no proof, so only what the model calls gradable, or abstained from with
gradable as its likeliest grade, may be accepted in bulk, and nothing that it finds ungradable or strange.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from core.vocabulary import CoipsGrade

SMALLEST_SAMPLE = 5
SAMPLE_SHARE = 0.10


@dataclass(frozen=True, slots=True)
class Candidate:
    """What decides whether a scan may be accepted with others. Grades are ordinals; None: nobody graded it."""

    is_own_work: bool
    may_review: bool
    is_to_decide: bool
    model_ordinal: int | None
    human_ordinal: int | None
    is_stranger: bool
    """Whether it looks like no OCTA image."""
    is_model_hidden: bool = False
    """Whether the reviewer, in calibration mode, has yet to give the own grade."""


def sample_size(n: int) -> int:
    """Scans to look at in a list of ``n``."""
    return min(n, max(SMALLEST_SAMPLE, math.ceil(SAMPLE_SHARE * n)))


def pass_probability(n_sample: int, wrong_share: float) -> float:
    """How probable it is that a sample shows none of the wrong ones of a long list; ``wrong_share`` from 0 to 1."""
    return (1.0 - wrong_share) ** n_sample


def draw_sample(ids: Sequence[int], seed: int) -> list[int]:
    """The sample of a list, in the order in which it is looked at; the same seed draws the same scans."""
    return random.Random(seed).sample(sorted(ids), sample_size(len(ids)))  # noqa: S311 - repeatable on purpose


def why_left_out(candidate: Candidate) -> str:
    """Why a scan is not accepted with the others, in words; empty: it may be."""
    ordinal = candidate.model_ordinal if candidate.human_ordinal is None else candidate.human_ordinal
    reasons = (
        (not candidate.may_review, "your role does not cover its site"),
        (candidate.is_model_hidden, "you are in calibration mode and have not graded it yourself"),
        (candidate.is_own_work, "you acquired or uploaded it"),
        (not candidate.is_to_decide, "it does not wait for a decision"),
        (ordinal is None, "it is not scored"),
        (candidate.is_stranger, "it looks like no OCTA image"),
        (ordinal is not None and ordinal < CoipsGrade.GRADABLE, "it is ungradable, likely or surely"),
    )
    return next((words for is_so, words in reasons if is_so), "")
