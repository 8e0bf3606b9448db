"""Questions about a scan as a thread: its messages, what is new to whom, and how many scans sites were asked about."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import func, insert, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.orm import Session

from core.clock import now
from core.database.tables import Acquisition, QueryMessage, QuerySeen, Scan, User
from core.store.scan_filter import ScanFilter, day_start, filter_conditions
from core.vocabulary import QueryAct, QuerySide


class ThreadState(StrEnum):
    """How a thread stands; whose move it is."""

    NONE = "none"
    """Nobody has asked anything."""
    ASKED = "asked"
    """The site's move."""
    ANSWERED = "answered"
    """The asker's move: resolve it, or ask again."""
    RESOLVED = "resolved"


_STATES = {
    QueryAct.QUESTION: ThreadState.ASKED,
    QueryAct.REOPENED: ThreadState.ASKED,
    QueryAct.ANSWER: ThreadState.ANSWERED,
    QueryAct.RESOLVED: ThreadState.RESOLVED,
}
ASKING = (QueryAct.QUESTION, QueryAct.REOPENED)
"""Acts that give the site the next move."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``is_new``: the person who looks has not had it before them, and did not write it."""

    id: int
    author_id: int
    author: str
    side: QuerySide
    act: QueryAct
    text: str
    at: datetime
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Thread:
    """The messages about one scan, oldest first."""

    scan_id: int
    messages: tuple[Message, ...]

    @property
    def state(self) -> ThreadState:
        """What the last act made of it; remarks change nothing."""
        acts = (message.act for message in reversed(self.messages) if message.act in _STATES)
        return next((_STATES[act] for act in acts), ThreadState.NONE)

    @property
    def asker(self) -> Message | None:
        """The latest question, whose author resolves the thread."""
        return next((message for message in reversed(self.messages) if message.act in ASKING), None)

    @property
    def n_new(self) -> int:
        """How many messages are new to the person who looks."""
        return sum(message.is_new for message in self.messages)


def add_message(
    session: Session, *, scan_id: int, site_id: int, author_id: int, side: QuerySide, act: QueryAct, text: str
) -> None:
    """Append a message to a scan's thread."""
    session.execute(
        insert(QueryMessage).values(
            scan_id=scan_id, site_id=site_id, author_id=author_id, side=side, act=act, text=text, created_at=now()
        )
    )


def add_question(session: Session, *, scan_id: int, site_id: int, author_id: int, text: str) -> None:
    """Append the reading centre's question; after a resolved thread it is the old one again."""
    is_again = read_thread(session, scan_id).state is ThreadState.RESOLVED
    act = QueryAct.REOPENED if is_again else QueryAct.QUESTION
    add_message(
        session, scan_id=scan_id, site_id=site_id, author_id=author_id, side=QuerySide.CENTRE, act=act, text=text
    )


def read_thread(session: Session, scan_id: int, *, reader_id: int | None = None) -> Thread:
    """The thread of a scan; an empty one where nobody has asked. ``reader_id`` says to whom what is new."""
    return read_threads(session, [scan_id], reader_id=reader_id)[scan_id]


def read_threads(session: Session, scan_ids: Iterable[int], *, reader_id: int | None = None) -> dict[int, Thread]:
    """The threads of these scans by scan, empty ones included."""
    wanted = tuple(dict.fromkeys(scan_ids))
    seen = select(QuerySeen.message_id).where(QuerySeen.user_id == reader_id, QuerySeen.scan_id == QueryMessage.scan_id)
    rows = session.execute(
        select(QueryMessage, User.display_name, func.coalesce(seen.scalar_subquery(), 0))
        .outerjoin(User, User.id == QueryMessage.author_id)
        .where(QueryMessage.scan_id.in_(wanted))
        .order_by(QueryMessage.scan_id, QueryMessage.id)
    ).all()
    found: dict[int, list[Message]] = {scan_id: [] for scan_id in wanted}
    for message, author, seen_id in rows:
        is_new = reader_id is not None and message.id > seen_id and message.author_id != reader_id
        found[message.scan_id].append(
            Message(
                message.id, message.author_id, author or "somebody who has left", QuerySide(message.side),
                QueryAct(message.act), message.text, message.created_at, is_new,
            )
        )  # fmt: skip
    return {scan_id: Thread(scan_id, tuple(messages)) for scan_id, messages in found.items()}


def mark_seen(session: Session, thread: Thread, *, reader_id: int, site_id: int) -> None:
    """Write down that a person has had the whole thread before them. No change of a record: nothing is audited."""
    if not thread.messages:
        return
    moment, last_id = now(), thread.messages[-1].id
    session.execute(
        postgresql_insert(QuerySeen)
        .values(user_id=reader_id, scan_id=thread.scan_id, site_id=site_id, message_id=last_id, seen_at=moment)
        .on_conflict_do_update(
            index_elements=[QuerySeen.user_id, QuerySeen.scan_id], set_={"message_id": last_id, "seen_at": moment}
        )
    )


def count_asked_scans(session: Session, chosen: ScanFilter) -> dict[int, int]:
    """By site: scans under ``chosen`` (by the day of capture, replacements left out) that the site was asked about."""
    # A question comes after its capture, so the index by site and time bounds what is read.
    since = [QueryMessage.created_at >= day_start(chosen.since)] if chosen.since is not None else []
    rows: Sequence[tuple[int, int]] = session.execute(
        select(QueryMessage.site_id, func.count(func.distinct(QueryMessage.scan_id)))
        .join(Scan, Scan.id == QueryMessage.scan_id)
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .where(
            QueryMessage.act == QueryAct.QUESTION, Acquisition.replaces_id.is_(None), *since,
            *filter_conditions(chosen),
        )
        .group_by(QueryMessage.site_id)
    ).all()  # fmt: skip
    return dict(rows)
