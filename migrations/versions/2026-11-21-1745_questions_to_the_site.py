"""A site answers what the reading centre asked about a scan, and its answer puts the scan back under review.

Question and answer are rows of the reviews, so that they stand in the scan's history and nobody changes them. An
answer is no review: whoever uploaded or acquired the scan is just the one to give it.

Revision 0011, after 0010.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def sites(*roles: str) -> str:
    """The row's site is one where the person has one of these roles."""
    return f"site_id = any ((select scoped_sites_as('{{{','.join(roles)}}}'))::bigint[])"


IS_OWN = "= (select current_user_id())"
DECIDERS = sites("qc_technician", "adjudicator")
GRADERS = sites("qc_technician", "adjudicator", "grader")
KEEPERS = sites("manager", "admin")
SITE = sites("site_technician")

ANSWER = f" or ({SITE} and decision = 'answer' and ordinal is null)"
ANSWERED = (
    f" or ({SITE} and state = 'under_review' and exists (select from review r "
    f"where r.scan_id = scan.id and r.decision = 'answer' and r.reviewer_id {IS_OWN}))"
)


def policies(*, is_answered: bool) -> tuple[str, ...]:
    """The policies with or without answers."""
    answer, answered = (ANSWER, ANSWERED) if is_answered else ("", "")
    states = "'reacquisition_requested', 'queried'" if is_answered else "'reacquisition_requested'"
    review = f"reviewer_id {IS_OWN} and ({DECIDERS} or ({sites('grader')} and decision = 'grade'){answer})"
    touch = f"{GRADERS} or ({SITE} and state in ({states})) or ({KEEPERS} and state in ('failed', 'quarantined'))"
    make = (
        f"{DECIDERS} or ({SITE} and state = 'closed_not_possible'){answered} or ({KEEPERS} and state in "
        "('queued', 'closed_not_possible') and human_ordinal is null and final_verdict is null)"
    )
    return (
        f"alter policy dashboard_insert on review with check ({review})",
        f"alter policy dashboard_update on scan using ({touch}) with check ({make})",
    )


def own_work_trigger(condition: str) -> tuple[str, ...]:
    """The trigger that keeps people from reviewing their own work, for reviews of the given condition."""
    return (
        "drop trigger is_not_of_own_work on review",
        f"create trigger is_not_of_own_work before insert on review for each row {condition}"
        "execute function review_is_not_of_own_work()",
    )


def upgrade() -> None:
    """Apply."""
    for statement in (*policies(is_answered=True), *own_work_trigger("when (new.decision <> 'answer') ")):
        op.execute(statement)


def downgrade() -> None:
    """Undo."""
    for statement in (*policies(is_answered=False), *own_work_trigger("")):
        op.execute(statement)
