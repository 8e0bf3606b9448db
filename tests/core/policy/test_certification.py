"""A certificate holds in its time and for its software, and only moves that are legal are made."""

from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest

from core.errors import IllegalMoveError
from core.policy.certification import MOVES, Period, add_months, is_covered, refuse_illegal_move, standing
from core.vocabulary import CertificateState

GRANTED = datetime(2026, 3, 2, 9, tzinfo=UTC)
LAST_DAY = date(2027, 3, 2)


@pytest.mark.parametrize(("state", "wanted"), list(product(CertificateState, CertificateState)))
def test_every_move_is_either_in_the_table_or_refused_with_its_reason(
    state: CertificateState, wanted: CertificateState
) -> None:
    if wanted in MOVES[state]:
        refuse_illegal_move(state, wanted)
        return
    with pytest.raises(IllegalMoveError, match="The certificate cannot be") as refused:
        refuse_illegal_move(state, wanted)
    assert refused.value.remedy


def test_every_state_but_the_ends_has_a_way_on() -> None:
    ends = {state for state, moves in MOVES.items() if not moves}
    assert ends == {CertificateState.REFUSED, CertificateState.REPLACED}


@pytest.mark.parametrize(
    ("moment", "is_held"),
    [
        (GRANTED - timedelta(seconds=1), False),
        (GRANTED, True),
        (datetime(2027, 3, 2, 23, 59, tzinfo=UTC), True),
        (datetime(2027, 3, 3, tzinfo=UTC), False),
    ],
)
def test_it_holds_from_the_moment_of_granting_to_the_end_of_its_last_day(moment: datetime, is_held: bool) -> None:
    assert Period(GRANTED, LAST_DAY, None).covers(moment) is is_held


def test_it_holds_no_longer_from_the_capture_that_ended_it() -> None:
    ended = GRANTED + timedelta(days=40)
    period = Period(GRANTED, LAST_DAY, ended)
    assert period.covers(ended - timedelta(seconds=1))
    assert not period.covers(ended)


@pytest.mark.parametrize(("software", "is_held"), [("4.2.0", True), ("4.3.0", False), ("", True)])
def test_a_devices_certificate_is_for_one_software_and_says_nothing_of_what_is_not_stated(
    software: str, is_held: bool
) -> None:
    periods = [Period(GRANTED, LAST_DAY, None, "4.2.0")]
    assert is_covered(periods, GRANTED + timedelta(days=1), software) is is_held


@pytest.mark.parametrize(
    ("stored", "expires_on", "is_suspended", "expected"),
    [
        (CertificateState.CERTIFIED, LAST_DAY, False, CertificateState.CERTIFIED),
        (CertificateState.CERTIFIED, LAST_DAY, True, CertificateState.SUSPENDED),
        (CertificateState.CERTIFIED, LAST_DAY - timedelta(days=1), True, CertificateState.EXPIRED),
        (CertificateState.RECHECK_DUE, LAST_DAY, True, CertificateState.RECHECK_DUE),
        (CertificateState.REQUESTED, None, True, CertificateState.REQUESTED),
    ],
)
def test_expiry_and_suspension_show_only_where_a_certificate_would_hold(
    stored: CertificateState, expires_on: date | None, is_suspended: bool, expected: CertificateState
) -> None:
    assert standing(stored, expires_on=expires_on, is_suspended=is_suspended, today=LAST_DAY) is expected


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2026, 12, 15), 1, date(2027, 1, 15)),
        (date(2026, 11, 21), 24, date(2028, 11, 21)),
        (date(2026, 11, 30), 13, date(2027, 12, 30)),
    ],
)
def test_months_end_on_the_same_day_or_on_the_last_of_a_shorter_month(day: date, months: int, expected: date) -> None:
    assert add_months(day, months) == expected
