"""A site where scans are drawn to be graded by three people and an adjudicator, and the means to act as each of them."""

from dataclasses import dataclass, field

from builders import make_member
from desk import Desk
from lane import GRADABLE
from sqlalchemy import select, update

from core.database.session import session_scope
from core.database.tables import Grading, GradingAssignment, ProtocolVersion, User
from core.policy.grading_plan import GradingPlan
from core.policy.protocol import Protocol
from core.store.own_grading import read_own_work
from core.usecases.grade_assigned import grade_assigned
from core.usecases.hand_out_gradings import HandedOut, hand_out_gradings
from core.usecases.settle_grading import settle_grading
from core.vocabulary import Role

EVERY_SCAN = {"graded_share": 1.0, "senior_check_share": 0.0, "repeat_share": 0.0, "accepted_check_share": 0.0}
"""Draw every scan for grading, and nothing for anything else."""


@dataclass
class GradingWorld:
    """A desk with a grading plan; people are hired by name."""

    desk: Desk
    tokens: dict[str, str] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)

    def plan(self, **changes: object) -> None:
        """The study's protocol gets this grading plan."""
        document = Protocol(grading=GradingPlan(**EVERY_SCAN | changes)).model_dump(mode="json")
        with session_scope(self.desk.owner) as session:
            session.execute(
                ProtocolVersion.__table__.insert().values(
                    study_id=self.desk.scene.study.id, number=2, effective_at="2025-06-01T00:00:00Z", document=document
                )
            )

    def hire(self, name: str, role: Role) -> None:
        """A person with this role at the site."""
        with session_scope(self.desk.owner) as session:
            user, token = make_member(session, role, site=self.desk.scene.site)
            self.tokens[name], self.ids[name] = token, user.id

    def disable(self, name: str) -> None:
        """Shut a person's account."""
        with session_scope(self.desk.owner) as session:
            session.execute(update(User).where(User.id == self.ids[name]).values(disabled_at="2026-01-01T00:00:00Z"))

    def score(self, order: int = GRADABLE, **changes: object) -> int:
        """A scan, scored by the real line; its id."""
        return self.desk.score(order, **changes)

    def round(self) -> HandedOut:
        """What the keeper does."""
        return hand_out_gradings(self.desk.worker)

    def list_of(self, name: str) -> list[int]:
        """The scans on a grader's list, in its order."""
        with self.desk.as_person(self.tokens[name]) as (session, _):
            return [work.scan_id for work in read_own_work(session, limit=100)]

    def grade(self, name: str, ordinal: int, scan_id: int | None = None) -> None:
        """The person grades the next scan of the own list, or this one."""
        with self.desk.as_person(self.tokens[name]) as (session, actor):
            works = read_own_work(session, limit=100)
            work = next(each for each in works if scan_id in {None, each.scan_id})
            grade_assigned(session, actor=actor, assignment_id=work.assignment_id, ordinal=ordinal)

    def settle(self, name: str, ordinal: int, reason: str = "") -> None:
        """The adjudicator settles the one scan that is to settle."""
        with self.desk.as_person(self.tokens[name]) as (session, actor):
            settle_grading(session, actor=actor, grading_id=self.grading().id, ordinal=ordinal, reason=reason)

    def grading(self) -> Grading:
        """The one grading that there is."""
        with session_scope(self.desk.owner) as session:
            return session.scalars(select(Grading)).one()

    def parts(self) -> list[GradingAssignment]:
        """Every assignment, in the order in which they were made."""
        with session_scope(self.desk.owner) as session:
            return list(session.scalars(select(GradingAssignment).order_by(GradingAssignment.id)))
