"""A person asks for a site's report card or a study's quality report; the keeper makes it within seconds.

It is not made in the asker's session: a site's card holds sums of the whole study, which a site does not see.
"""

from sqlalchemy.orm import Session

from core.clock import now
from core.errors import NotAllowedError, UsageError
from core.store.access import Actor
from core.store.audit import record_event
from core.store.report import NewReport, ask
from core.usecases.find_flags import standing_weeks
from core.vocabulary import ReportKind, Role

COMPARERS = (Role.QC_TECHNICIAN, Role.ADJUDICATOR, Role.MANAGER, Role.ADMIN)
STAFF = (Role.SITE_TECHNICIAN, *COMPARERS)
"""Who may have a site's card, at that site. A grader sees no site's results before grading."""
LONGEST_WEEKS = 520


def may_have(actor: Actor, kind: ReportKind, *, study_id: int, site_id: int | None) -> bool:
    """Whether a person may have such a report; row-level security holds the same line."""
    if kind is ReportKind.SITE:
        return site_id is not None and actor.has_role(*STAFF, study_id=study_id, site_id=site_id)
    whole = [grant for grant in actor.grants if grant.site_id is None and grant.role in COMPARERS]
    return any(grant.covers(study_id, None) for grant in whole)


def ask_report(
    session: Session, *, actor: Actor, kind: ReportKind, study_id: int, site_id: int | None, n_weeks: int
) -> int:
    """Ask for the report over so many whole weeks, the present one included; return its number.

    Raises NotAllowedError where the role does not reach it, UsageError for a kind or a period that cannot be.
    """
    if kind not in {ReportKind.SITE, ReportKind.STUDY} or (kind is ReportKind.SITE) != (site_id is not None):
        raise UsageError("A report is of one site or of one study.", remedy="Choose a site for a site report card.")
    if not 1 <= n_weeks <= LONGEST_WEEKS:
        raise UsageError(f"{n_weeks} weeks are no period.", remedy=f"Choose 1 to {LONGEST_WEEKS} weeks.")
    if not may_have(actor, kind, study_id=study_id, site_id=site_id):
        raise NotAllowedError(
            "Your role does not reach this report.",
            remedy="Choose your own site; study reports need a role for the whole study.",
        )
    since, until = standing_weeks(now().date(), n_weeks)
    new = NewReport(kind, study_id, site_id, since, until, asked_by_id=actor.user_id)
    report_id = ask(session, new)
    assert report_id is not None, "only a schedule's moment can have a report already"
    record_event(
        session, actor=actor, action="report.asked", entity="report", entity_id=report_id, study_id=study_id,
        site_id=site_id, after={"kind": kind.value, "since": f"{since}", "until": f"{until}"},
    )  # fmt: skip
    return report_id
