"""Counts are exact at every moment: under four writers at once, while being folded, after corrections and rebuilt."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
from builders import MONDAY, make_acquisition, make_device, make_scan, make_site
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core.database import tables
from core.database.session import Database, session_scope
from core.store.rate import CountKey, fold_deltas, lock_slots, recount_slots, uncount_slots
from core.store.rate_audit import read_totals
from core.store.rate_sum import Grain
from core.store.slot import Standing, decided_ordinal, standing, week_of
from core.usecases.check_rates import rebuild_rates, verify_rates
from core.vocabulary import RateMeasure, Slab

GOOD = Standing(is_received=True, is_decided=True, is_gradable=True)
BAD = Standing(is_received=True, is_decided=True, is_gradable=False)
UNDECIDED = Standing(is_received=True, is_decided=False, is_gradable=False)


def plain_totals(session: Session) -> Counter[CountKey]:
    """The counts of captures and slots, without those of visits and findings."""
    return Counter({key: n for key, n in read_totals(session).items() if not key.detail})


def sums(database: Database) -> Counter[RateMeasure]:
    with session_scope(database) as session:
        totals = plain_totals(session)
    counted: Counter[RateMeasure] = Counter()
    for key, n in totals.items():
        counted[key.measure] += n
    return counted


def receive(session: Session, site: tables.Site, n: int, **changes: object) -> list[tables.Scan]:
    scans = [make_scan(session, site, **changes) for _ in range(n)]
    recount(session, scans)
    return scans


def recount(session: Session, scans: list[tables.Scan]) -> None:
    acquisitions = [session.get_one(tables.Acquisition, scan.acquisition_id) for scan in scans]
    recount_slots(session, [acquisition.expected_scan_id for acquisition in acquisitions])


def grade(session: Session, scan_id: int, ordinal: int | None) -> None:
    session.execute(update(tables.Scan).where(tables.Scan.id == scan_id).values(human_ordinal=ordinal))
    slot = session.scalars(
        select(tables.Acquisition.expected_scan_id)
        .join(tables.Scan, tables.Scan.acquisition_id == tables.Acquisition.id)
        .where(tables.Scan.id == scan_id)
    ).one()
    lock_slots(session, [slot])
    recount_slots(session, [slot])


def test_what_arrives_is_received_and_what_is_graded_is_decided(owner_database: Database) -> None:
    with session_scope(owner_database) as session:
        good, bad, _waiting = receive(session, make_site(session), 3)
        grade(session, good.id, 2)
        grade(session, bad.id, 0)
    assert sums(owner_database) == {
        RateMeasure.RECEIVED: 3,
        RateMeasure.DECIDED: 2,
        RateMeasure.GRADABLE: 1,
        RateMeasure.FINAL_RECEIVED: 3,
        RateMeasure.FINAL_GRADABLE: 1,
    }


def test_counting_twice_changes_nothing(owner_database: Database) -> None:
    with session_scope(owner_database) as session:
        scans = receive(session, make_site(session), 3)
        recount(session, scans)
        recount(session, scans)
        assert session.scalar(select(func.count()).select_from(tables.RateDelta)) == 6
    assert verify_rates(owner_database) == []


def test_a_changed_mind_is_a_negative_delta(owner_database: Database) -> None:
    with session_scope(owner_database) as session:
        (scan,) = receive(session, make_site(session), 1)
        for ordinal in (2, 0, None, 1):
            grade(session, scan.id, ordinal)
        assert session.scalar(select(func.min(tables.RateDelta.n))) == -1
    assert sums(owner_database)[RateMeasure.GRADABLE] == 1
    assert verify_rates(owner_database) == []


def test_a_replacement_counts_for_the_slot_and_not_for_the_first_pass(owner_database: Database) -> None:
    with session_scope(owner_database) as session:
        site = make_site(session)
        first_device, other_device = make_device(session, site), make_device(session, site)
        first = make_acquisition(session, site, device=first_device)
        slot = session.get_one(tables.ExpectedScan, first.expected_scan_id)
        recount(session, [make_scan(session, site, acquisition=first, human_ordinal=0)])
        later = make_acquisition(
            session, site, device=other_device, slot=slot, replaces_id=first.id, acquired_at=MONDAY + timedelta(weeks=2)
        )
        recount(session, [make_scan(session, site, acquisition=later, human_ordinal=2)])
        totals = plain_totals(session)
    assert {(key.measure, key.device_id, key.week_on): n for key, n in totals.items()} == {
        (RateMeasure.RECEIVED, first_device.id, MONDAY.date()): 1,
        (RateMeasure.DECIDED, first_device.id, MONDAY.date()): 1,
        (RateMeasure.FINAL_RECEIVED, first_device.id, MONDAY.date()): 1,
        (RateMeasure.FINAL_GRADABLE, first_device.id, MONDAY.date()): 1,
        (RateMeasure.REPEATED, other_device.id, (MONDAY + timedelta(weeks=2)).date()): 1,
        (RateMeasure.REPEATED_GRADABLE, other_device.id, (MONDAY + timedelta(weeks=2)).date()): 1,
    }


def test_phantoms_count_nowhere(owner_database: Database) -> None:
    with session_scope(owner_database) as session:
        site = make_site(session)
        phantom = make_acquisition(session, site, is_phantom=True)
        recount(session, [make_scan(session, site, acquisition=phantom, human_ordinal=2)])
    assert sums(owner_database) == Counter()


def test_two_bad_slabs_of_one_capture_are_one_failure(owner_database: Database) -> None:
    with session_scope(owner_database) as session:
        site = make_site(session)
        capture = make_acquisition(session, site)
        recount(
            session,
            [
                make_scan(session, site, acquisition=capture, slab=slab.value, human_ordinal=0)
                for slab in (Slab.SUPERFICIAL, Slab.DEEP)
            ],
        )
    counted = sums(owner_database)
    assert (counted[RateMeasure.DECIDED], counted[RateMeasure.GRADABLE]) == (1, 0)


def test_a_corrected_device_moves_the_counts(owner_database: Database) -> None:
    with session_scope(owner_database) as session:
        site = make_site(session)
        (scan,) = receive(session, site, 1, human_ordinal=1)
        capture = session.get_one(tables.Acquisition, scan.acquisition_id)
        right = make_device(session, site)
        uncount_slots(session, [capture.expected_scan_id])
        session.execute(update(tables.Acquisition).values(device_id=right.id))
        recount_slots(session, [capture.expected_scan_id])
        assert {key.device_id for key in read_totals(session)} == {right.id}
    assert verify_rates(owner_database) == []


def test_four_writers_and_a_folder_at_once_lose_and_double_nothing(
    owner_database: Database, worker_database: Database
) -> None:
    with session_scope(owner_database) as session:
        site = make_site(session)
        scans = [scan.id for scan in receive(session, site, 24)]

    def change_minds(seed: int) -> None:
        dice = random.Random(seed)  # noqa: S311 - a test's dice
        for _ in range(25):
            with session_scope(worker_database) as session:
                grade(session, dice.choice(scans), dice.choice([None, 0, 1, 2]))

    def fold(_: int) -> None:
        for _ in range(15):
            with session_scope(worker_database) as session:
                fold_deltas(session, limit=7)
            assert sums(worker_database)[RateMeasure.RECEIVED] == 24

    with ThreadPoolExecutor(5) as pool:
        for running in [*(pool.submit(change_minds, seed) for seed in range(4)), pool.submit(fold, 0)]:
            running.result()
    assert verify_rates(worker_database) == []
    with session_scope(worker_database) as session:
        while fold_deltas(session):
            pass
        assert session.scalar(select(func.count()).select_from(tables.RateDelta)) == 0
    assert verify_rates(worker_database) == []


def test_a_rebuild_beside_writers_is_exact(owner_database: Database, worker_database: Database) -> None:
    with session_scope(owner_database) as session:
        scans = [scan.id for scan in receive(session, make_site(session), 12)]

    def change_minds(seed: int) -> None:
        dice = random.Random(seed)  # noqa: S311 - a test's dice
        for _ in range(15):
            with session_scope(worker_database) as session:
                grade(session, dice.choice(scans), dice.choice([None, 0, 1, 2]))

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(change_minds, seed) for seed in range(3)]
        for _ in range(4):
            rebuild_rates(worker_database)
        for each in running:
            each.result()
    assert verify_rates(worker_database) == []


def test_verify_names_a_wrong_count_and_rebuild_cures_it(owner_database: Database) -> None:
    with session_scope(owner_database) as session:
        receive(session, make_site(session), 2)
        fold_deltas(session)
        session.execute(
            update(tables.Rate).where(tables.Rate.measure == RateMeasure.RECEIVED).values(n=tables.Rate.n + 1)
        )
        session.execute(update(tables.Acquisition).values(is_counted_gradable=True))
    wrong = verify_rates(owner_database)
    counts = [each for each in wrong if each.grain is None]
    assert [(each.key.measure, each.counted - each.true) for each in counts] == [(RateMeasure.RECEIVED, 1)] * 2
    assert {each.grain for each in wrong} == {None, Grain.SITE, Grain.DEVICE, Grain.SOFTWARE}
    rebuild_rates(owner_database)
    assert verify_rates(owner_database) == []
    with session_scope(owner_database) as session:
        assert not any(session.scalars(select(tables.Acquisition.is_counted_gradable)))


def test_only_one_process_folds_at_a_time(owner_database: Database, worker_database: Database) -> None:
    with session_scope(owner_database) as session:
        receive(session, make_site(session), 1)
    with session_scope(worker_database) as first, session_scope(worker_database) as second:
        assert fold_deltas(first) == 2
        assert fold_deltas(second) == 0


@pytest.mark.parametrize(
    ("required", "ordinals", "expected"),
    [
        pytest.param((), {Slab.SUPERFICIAL: 1}, GOOD, id="one good slab"),
        pytest.param((), {Slab.SUPERFICIAL: 1, Slab.DEEP: 0}, BAD, id="one bad slab"),
        pytest.param((), {Slab.SUPERFICIAL: 0, Slab.DEEP: None}, UNDECIDED, id="one undecided"),
        pytest.param((Slab.DEEP,), {Slab.SUPERFICIAL: 2}, UNDECIDED, id="required one missing"),
        pytest.param((Slab.DEEP,), {Slab.SUPERFICIAL: 0, Slab.DEEP: 1}, GOOD, id="not required"),
        pytest.param((), {}, UNDECIDED, id="no scan yet"),
    ],
)
def test_a_capture_is_decided_when_every_required_slab_is(
    required: tuple[Slab, ...], ordinals: dict[Slab, int | None], expected: Standing
) -> None:
    assert standing(required, ordinals) == expected


@given(
    human=st.none() | st.integers(0, 2), model=st.none() | st.integers(0, 2), inherited=st.none() | st.integers(0, 2)
)
def test_a_person_s_grade_outranks_every_other(human: int | None, model: int | None, inherited: int | None) -> None:
    grades = {"human": human, "model": model, "inherited": inherited}
    counted = decided_ordinal(**grades, is_abstained=False, is_inherit=False)
    assert counted == (human if human is not None else model)
    if human is None:
        assert decided_ordinal(**grades, is_abstained=True, is_inherit=False) is None
        expected = inherited if inherited is not None else model
        assert decided_ordinal(**grades, is_abstained=False, is_inherit=True) == expected


def test_a_week_begins_on_monday_in_utc() -> None:
    assert week_of(datetime(2026, 3, 8, 23, 59, tzinfo=UTC)) == date(2026, 3, 2)
    east = datetime.fromisoformat("2026-03-09T00:30:00+02:00")
    assert week_of(east) == date(2026, 3, 2)
