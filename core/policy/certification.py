"""When a certificate of a technician or device holds, and what may become of it. Pure: no clock, no database."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from core.errors import IllegalMoveError
from core.vocabulary import CertificateState

NOTICE_DAYS = 30
"""So long before its last day a certificate is told of, counted and marked as ending."""

_S = CertificateState
MOVES: dict[CertificateState, frozenset[CertificateState]] = {
    _S.REQUESTED: frozenset({_S.UNDER_REVIEW, _S.REFUSED}),
    _S.UNDER_REVIEW: frozenset({_S.CERTIFIED, _S.REFUSED}),
    _S.CERTIFIED: frozenset({_S.RECHECK_DUE, _S.REPLACED, _S.EXPIRED, _S.SUSPENDED}),
    _S.SUSPENDED: frozenset({_S.CERTIFIED, _S.EXPIRED, _S.RECHECK_DUE, _S.REPLACED}),
    _S.EXPIRED: frozenset({_S.REPLACED}),
    _S.RECHECK_DUE: frozenset({_S.REPLACED}),
    _S.REFUSED: frozenset(),
    _S.REPLACED: frozenset(),
}
"""What may follow what. Expired follows from the last day, suspended and its end from the holder's suspension: no verb
writes these two. A renewal is a certificate of its own that replaces this one when it is granted."""

_WHY_NOT = {
    _S.REQUESTED: "nobody has looked at its evidence yet",
    _S.REFUSED: "it was refused",
    _S.REPLACED: "a newer one holds instead",
    _S.EXPIRED: "it has expired",
    _S.SUSPENDED: "its holder is suspended",
    _S.RECHECK_DUE: "its device runs other software",
    _S.CERTIFIED: "it was granted",
}
_WORDS = {_S.UNDER_REVIEW: "put under review", _S.CERTIFIED: "granted", _S.REFUSED: "refused"}


@dataclass(frozen=True, slots=True)
class Period:
    """A certificate's time: from when on it holds, its last day, and the moment at which it ended before.

    ``software_version`` is that of the device it is for; empty for technicians.
    """

    certified_at: datetime
    expires_on: date
    ended_at: datetime | None
    software_version: str = ""

    def covers(self, moment: datetime, software_version: str = "") -> bool:
        """Whether a capture of that moment, by that software, was taken under it; software not stated fits any."""
        is_in_time = self.certified_at <= moment and moment.astimezone(UTC).date() <= self.expires_on
        is_same = not (self.software_version and software_version) or self.software_version == software_version
        return is_in_time and is_same and (self.ended_at is None or moment < self.ended_at)


def standing(state: CertificateState, *, expires_on: date | None, is_suspended: bool, today: date) -> CertificateState:
    """What a stored state amounts to today: a certified one may be expired, or its holder suspended."""
    if state is not CertificateState.CERTIFIED:
        return state
    if expires_on is not None and expires_on < today:
        return CertificateState.EXPIRED
    return CertificateState.SUSPENDED if is_suspended else state


def refuse_illegal_move(state: CertificateState, wanted: CertificateState) -> None:
    """Raise IllegalMoveError, with the reason, where a certificate that stands so cannot become ``wanted``."""
    if wanted in MOVES[state]:
        return
    why = _WHY_NOT.get(state, f"it is {state.value.replace('_', ' ')}")
    what = _WORDS.get(wanted, wanted.value.replace("_", " "))
    remedy = "Put it under review first." if state is _S.REQUESTED else "Ask for a new certificate."
    raise IllegalMoveError(f"The certificate cannot be {what}: {why}.", remedy=remedy)


def add_months(day: date, months: int) -> date:
    """The same day of the month, ``months`` (>= 0) later, or the last day of that month where it has no such day."""
    year, month = divmod(day.month - 1 + months, 12)
    first = date(day.year + year, month + 1, 1)
    after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return first.replace(day=min(day.day, (after - first).days))


def is_covered(periods: Iterable[Period], moment: datetime, software_version: str = "") -> bool:
    """Whether any certificate covers a capture."""
    return any(period.covers(moment, software_version) for period in periods)
