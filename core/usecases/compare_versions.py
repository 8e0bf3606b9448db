"""Champion against challenger: two model versions on the same scans, and the verdicts that would change."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy.orm import Session

from core.statistics.agreement_intervals import Agreement, agreement
from core.statistics.resampling import Interval, share_interval
from core.store.scan_filter import ScanFilter
from core.store.version_pair import VersionPair, VersionPairs, read_version_pairs
from core.values import NotComputable
from core.vocabulary import GradeScale, Verdict
from core.wording import SCALE_GRADE_NAMES


@dataclass(frozen=True, slots=True)
class VersionComparison:
    """One challenger against what counts.

    Attributes
    ----------
    grades : Agreement or NotComputable
        Rows are the champion's grades, columns the challenger's; scans of which either abstained are left out. Where
        that is every scan, as of a model that leaves all to a person, the likeliest grades are compared instead.
    verdicts : mapping of (champion's, challenger's) to int
        Every pair of verdicts that occurs.
    changed : Interval or None
        Share of scans whose verdict would change, with its interval over patients.
    """

    champion: str
    challenger: str
    scale: GradeScale
    n_scans: int
    n_silent: int
    is_of_likeliest: bool
    grades: Agreement | NotComputable
    verdicts: Mapping[tuple[Verdict, Verdict], int]
    changed: Interval | None
    changes: tuple[VersionPair, ...]
    """Scans whose verdict would change, the newest first."""


@dataclass(frozen=True, slots=True)
class Versions:
    """Which versions count for the latest scans, and each other version against what counts, most scans first."""

    as_of: datetime
    counting: tuple[tuple[str, int], ...]
    """Version and scans that it counts for, most first: more than one means that not all were scored again."""
    comparisons: tuple[VersionComparison, ...]
    per_device: int


def compare_versions(session: Session, chosen: ScanFilter) -> Versions:
    """Every pair of versions among the latest scans under ``chosen``."""
    return compare_pairs(read_version_pairs(session, chosen))


def compare_pairs(found: VersionPairs) -> Versions:
    """The same of pairs that are there already."""
    groups: dict[tuple[int, int], list[VersionPair]] = {}
    for pair in found.pairs:
        groups.setdefault((pair.champion.version_id, pair.challenger.version_id), []).append(pair)
    largest = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    counting = sorted(
        ((found.names[id_], n) for id_, n in found.counting.items()), key=lambda each: (-each[1], each[0])
    )
    return Versions(
        found.as_of,
        tuple(counting),
        tuple(_comparison(found.names[own], found.names[other], pairs) for (own, other), pairs in largest),
        found.per_device,
    )


def _comparison(champion: str, challenger: str, pairs: Sequence[VersionPair]) -> VersionComparison:
    graded = [pair for pair in pairs if pair.champion.ordinal is not None and pair.challenger.ordinal is not None]
    compared = graded or pairs
    scale = pairs[0].scale
    is_changed = np.array([pair.champion.verdict is not pair.challenger.verdict for pair in pairs], np.bool_)
    return VersionComparison(
        champion=champion,
        challenger=challenger,
        scale=scale,
        n_scans=len(pairs),
        n_silent=len(pairs) - len(graded),
        is_of_likeliest=not graded,
        grades=agreement(
            np.array([pair.champion.likeliest for pair in compared], np.intp),
            np.array([pair.challenger.likeliest for pair in compared], np.intp),
            [str(pair.subject_id) for pair in compared],
            n_classes=len(SCALE_GRADE_NAMES[scale]),
        ),
        verdicts=Counter((pair.champion.verdict, pair.challenger.verdict) for pair in pairs),
        changed=share_interval(is_changed, [str(pair.subject_id) for pair in pairs]),
        changes=tuple(
            sorted((p for p, changes in zip(pairs, is_changed, strict=True) if changes), key=lambda p: -p.scan_id)
        ),
    )
