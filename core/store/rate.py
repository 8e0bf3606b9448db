"""The counts behind every rate: exact at every moment, and written without any two workers waiting for each other.

A change appends rows to rate_delta in its own transaction; one process folds them into rate; readers sum both. What an
acquisition has contributed so far stands in its ``is_counted_*`` flags, so a delta is a difference, maybe negative.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import BigInteger, Subquery, cast, delete, func, insert, select, union_all, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.orm import Session

from core.database.tables import Acquisition, ExpectedScan, Rate, RateDelta
from core.store.slot import NOTHING, Capture, Slot, Standing, read_slots
from core.vocabulary import RateMeasure

COUNTING_LOCK = 7_301
"""Advisory lock: shared by everybody who counts, exclusive for a rebuild. The number only has to be ours."""
FOLDING_LOCK = 7_302
"""Advisory lock: held by the one process that folds."""
FOLD_LIMIT = 100_000
"""Deltas folded in one transaction: 0.4 s, measured."""

KEY_COLUMNS = ("site_id", "device_id", "technician_id", "scan_type", "week_on", "measure")


@dataclass(frozen=True, slots=True)
class CountKey:
    """What a count is counted by. ``week_on`` is a Monday."""

    site_id: int
    device_id: int
    technician_id: int | None
    scan_type: str
    week_on: date
    measure: RateMeasure

    @classmethod
    def of(cls, capture: Capture, measure: RateMeasure) -> "CountKey":
        """The key under which a capture counts towards a measure."""
        return cls(
            capture.site_id, capture.device_id, capture.technician_id, capture.scan_type, capture.week_on, measure
        )


def lock_slots(session: Session, expected_scan_ids: Iterable[int]) -> None:
    """Lock slots in ascending order. Whoever changes scans below a slot takes this lock first, and so never deadlocks.

    Also holds off a rebuild until the transaction ends.
    """
    session.execute(select(func.pg_advisory_xact_lock_shared(COUNTING_LOCK)))
    session.execute(
        select(ExpectedScan.id)
        .where(ExpectedScan.id.in_(sorted(set(expected_scan_ids))))
        .order_by(ExpectedScan.id)
        .with_for_update(key_share=True)
    ).all()


def recount_slots(session: Session, expected_scan_ids: Iterable[int]) -> None:
    """Bring the counts in line with the rows below these slots; call it in the transaction that changed them.

    Call it after an acquisition arrived, after its scans were scored and after a person graded one.
    """
    _apply(session, expected_scan_ids, is_counted=True)


def uncount_slots(session: Session, expected_scan_ids: Iterable[int]) -> None:
    """Take everything below these slots out of the counts, before an acquisition's own place is corrected.

    Call ``recount_slots`` after the correction (device, time, technician, what it replaces), in the same transaction.
    """
    _apply(session, expected_scan_ids, is_counted=False)


def contributions(slot: Slot, standings: Sequence[Standing]) -> Counter[CountKey]:
    """What a slot contributes to the counts where its captures stand as given.

    First-pass measures leave replacements out; the final ones belong to the slot and are booked where its first
    capture was taken. Phantoms count nowhere.
    """
    counts: Counter[CountKey] = Counter()
    received = [
        (capture, stands)
        for capture, stands in zip(slot.captures, standings, strict=True)
        if stands.is_received and not capture.is_phantom
    ]
    for capture, stands in received:
        if not capture.is_replacement:
            counts[CountKey.of(capture, RateMeasure.RECEIVED)] += 1
            counts[CountKey.of(capture, RateMeasure.DECIDED)] += stands.is_decided
            counts[CountKey.of(capture, RateMeasure.GRADABLE)] += stands.is_gradable
    if received:
        first = received[0][0]
        counts[CountKey.of(first, RateMeasure.FINAL_RECEIVED)] += 1
        counts[CountKey.of(first, RateMeasure.FINAL_GRADABLE)] += any(stands.is_gradable for _, stands in received)
    return counts


def _apply(session: Session, expected_scan_ids: Iterable[int], *, is_counted: bool) -> None:
    slot_ids = sorted(set(expected_scan_ids))
    session.flush()
    lock_slots(session, slot_ids)
    deltas: Counter[CountKey] = Counter()
    flags: list[tuple[int, Standing]] = []
    for slot in read_slots(session, slot_ids):
        target = [capture.standing if is_counted else NOTHING for capture in slot.captures]
        deltas.update(contributions(slot, target))
        deltas.subtract(contributions(slot, [capture.counted for capture in slot.captures]))
        flags += [
            (capture.acquisition_id, stands)
            for capture, stands in zip(slot.captures, target, strict=True)
            if capture.counted != stands
        ]
    set_counted(session, flags)
    append_deltas(session, deltas)


def set_counted(session: Session, flags: Sequence[tuple[int, Standing]]) -> None:
    """Write down what the counts now hold of each acquisition: one statement per distinct standing."""
    for stands in {stands for _, stands in flags}:
        session.execute(
            update(Acquisition)
            .where(Acquisition.id.in_([acquisition_id for acquisition_id, other in flags if other == stands]))
            .values(
                is_counted_received=stands.is_received,
                is_counted_decided=stands.is_decided,
                is_counted_gradable=stands.is_gradable,
            )
        )


def append_deltas(session: Session, deltas: Counter[CountKey]) -> None:
    """Append one row per key that changed; a change that cancels itself leaves none."""
    rows = [count_row(key, n) for key, n in deltas.items() if n]
    if rows:
        session.execute(insert(RateDelta), rows)


def count_row(key: CountKey, n: int) -> dict[str, Any]:
    """A count as a row of rate or rate_delta."""
    return {**{column: getattr(key, column) for column in KEY_COLUMNS}, "n": n}


def fold_deltas(session: Session, *, limit: int = FOLD_LIMIT) -> int:
    """Move the oldest deltas into the folded counts; return how many. Does nothing where another process folds."""
    if not session.scalar(select(func.pg_try_advisory_xact_lock(FOLDING_LOCK))):
        return 0
    oldest = select(RateDelta.id).order_by(RateDelta.id).limit(limit).scalar_subquery()
    moved = (
        delete(RateDelta)
        .where(RateDelta.id.in_(oldest))
        .returning(*(getattr(RateDelta, column) for column in KEY_COLUMNS), RateDelta.n)
        .cte("moved")
    )
    keys = [moved.c[column] for column in KEY_COLUMNS]
    sums = select(*keys, cast(func.sum(moved.c.n), BigInteger)).group_by(*keys)
    upsert = postgresql_insert(Rate).from_select([*KEY_COLUMNS, "n"], sums)
    folded = (
        upsert.on_conflict_do_update(index_elements=list(KEY_COLUMNS), set_={"n": Rate.n + upsert.excluded.n})
        .returning(Rate.id)
        .cte("folded")
    )
    return session.scalar(select(func.count()).select_from(moved).add_cte(folded)) or 0


def all_counts() -> Subquery:
    """Folded counts and unfolded deltas together: sum ``n`` over these rows and the number is exact at this moment."""
    folded = select(*(getattr(Rate, column) for column in KEY_COLUMNS), Rate.n)
    unfolded = select(*(getattr(RateDelta, column) for column in KEY_COLUMNS), RateDelta.n)
    return union_all(folded, unfolded).subquery("counts")
