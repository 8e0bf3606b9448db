"""Which pages there are, and for whom. A new page adds one line here; rights themselves are held by the database."""

from dataclasses import dataclass

from core.store.access import Actor
from core.usecases.subscribe_to_alerts import ALERTED
from core.vocabulary import Role

CENTRE = frozenset({Role.QC_TECHNICIAN, Role.GRADER, Role.ADJUDICATOR, Role.MANAGER, Role.ADMIN})
"""Roles of the reading centre."""
COMPARERS = CENTRE - {Role.GRADER}
"""Roles that compare sites with each other; a grader sees no site's results before grading."""
JUDGES = frozenset({Role.ADJUDICATOR, Role.MANAGER, Role.ADMIN})
"""Roles that may see masked grades (row-level security on review)."""
DECIDERS = frozenset({Role.QC_TECHNICIAN, Role.ADJUDICATOR})
"""Who decides about scans (core.usecases.review_scan)."""
EVERYBODY = frozenset(Role)
KEEPERS = frozenset({Role.MANAGER, Role.ADMIN})
"""Who sees to the queue and to what could not be scored (core.usecases.requeue_scans)."""
UPLOADERS = frozenset({Role.SITE_TECHNICIAN, Role.QC_TECHNICIAN})
"""Who may send scans (core.usecases.upload_rights)."""


@dataclass(frozen=True, slots=True)
class Page:
    """One file page. ``path`` is relative to the dashboard's folder; ``section`` heads it in the sidebar."""

    title: str
    path: str
    icon: str
    roles: frozenset[Role]
    section: str
    is_listed: bool = True
    """False: reached by links only, e.g. the page of one scan."""

    @property
    def url_path(self) -> str:
        """The page's address, from its file name: ``pages/site_report.py`` is at ``/site-report``."""
        return self.path.rsplit("/", 1)[-1].removesuffix(".py").replace("_", "-")


PAGES = (
    Page("Overview", "pages/overview.py", ":material/space_dashboard:", EVERYBODY, "Quality"),
    Page("Sites & devices", "pages/sites.py", ":material/monitoring:", COMPARERS, "Quality"),
    Page("Trends", "pages/trends.py", ":material/timeline:", COMPARERS, "Quality"),
    Page("Why scans fail", "pages/why.py", ":material/troubleshoot:", COMPARERS, "Quality"),
    Page("FAZ", "pages/faz.py", ":material/adjust:", COMPARERS, "Quality"),
    Page("Agreement", "pages/agreement.py", ":material/handshake:", JUDGES, "Quality"),
    Page("Model & data watch", "pages/watch.py", ":material/radar:", COMPARERS, "Quality"),
    Page("Models", "pages/models.py", ":material/model_training:", COMPARERS, "Quality"),
    Page("Grading", "pages/grading.py", ":material/rule:", CENTRE, "Quality"),
    Page("Worklist", "pages/worklist.py", ":material/checklist:", EVERYBODY, "Quality"),
    Page("Tracker", "pages/tracker.py", ":material/route:", COMPARERS | {Role.SITE_TECHNICIAN}, "Quality"),
    Page("My feedback", "pages/feedback.py", ":material/school:", frozenset({Role.SITE_TECHNICIAN}), "Quality"),
    Page(
        "Completeness", "pages/completeness.py", ":material/fact_check:", COMPARERS | {Role.SITE_TECHNICIAN}, "Quality"
    ),
    Page("Certificates", "pages/certificates.py", ":material/verified:", ALERTED, "Quality"),
    Page("Actions", "pages/actions.py", ":material/assignment:", ALERTED, "Quality"),
    Page("Alerts", "pages/alerts.py", ":material/notifications:", ALERTED, "Quality"),
    Page("Examples", "pages/examples.py", ":material/gallery_thumbnail:", EVERYBODY, "Quality"),
    Page("Annotate next", "pages/annotate.py", ":material/draw:", KEEPERS, "Quality"),
    Page("Reports", "pages/reports.py", ":material/picture_as_pdf:", ALERTED, "Quality"),
    Page("Upload", "pages/upload.py", ":material/upload:", UPLOADERS, "Quality"),
    Page("My uploads", "pages/uploads.py", ":material/inventory_2:", UPLOADERS, "Quality"),
    Page("Accept in bulk", "pages/bulk.py", ":material/done_all:", DECIDERS, "Quality", is_listed=False),
    Page("Scan", "pages/scan.py", ":material/visibility:", EVERYBODY, "Quality", is_listed=False),
    Page("Queue", "pages/scoring_queue.py", ":material/queue:", KEEPERS, "Administration"),
    Page("Admin", "pages/admin.py", ":material/settings:", frozenset({Role.ADMIN}), "Administration"),
    Page("Account", "pages/account.py", ":material/account_circle:", EVERYBODY, "Administration", is_listed=False),
    Page("Audit", "pages/audit.py", ":material/history:", frozenset({Role.MANAGER, Role.ADMIN}), "Administration"),
)


def pages_for(actor: Actor) -> tuple[Page, ...]:
    """The pages that a person's roles lead to, in the order of the sidebar."""
    return tuple(page for page in PAGES if actor.roles & page.roles)
