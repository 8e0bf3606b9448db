"""Says who may upload for a site; every step of an upload asks here. Row-level security holds the same line below."""

from core.errors import IllegalMoveError, NotAllowedError
from core.store.access import PROGRAM, Actor
from core.store.batch import BatchHead, SiteRef
from core.vocabulary import Role

UPLOADERS = (Role.SITE_TECHNICIAN, Role.QC_TECHNICIAN)
"""A technician for the own site, the reading centre's for any of its sites."""


def require_uploader(actor: Actor, site: SiteRef) -> None:
    """NotAllowedError where ``actor`` may not upload for ``site``, or nobody may."""
    if may_upload(actor, site):
        return
    if not site.is_active:
        raise NotAllowedError(
            f"Site {site.site} of study {site.study} was deactivated and takes no new scans.",
            remedy="Ask an administrator to activate it again if that is wrong.",
        )
    raise NotAllowedError(
        f"You may not upload for site {site.site} of study {site.study}.",
        remedy="Choose your own site, or ask an administrator for the role of technician there.",
    )


def may_upload(actor: Actor, site: SiteRef) -> bool:
    """Whether ``actor`` may upload for ``site``; the program itself (command line, demo) may at every active one."""
    if not site.is_active:
        return False
    return actor is PROGRAM or actor.has_role(*UPLOADERS, study_id=site.study_id, site_id=site.site_id)


def require_draft(batch: BatchHead) -> None:
    """IllegalMoveError where the batch has been submitted."""
    if batch.submitted_at is not None:
        raise IllegalMoveError(
            f"Batch {batch.receipt} was submitted and cannot be changed.",
            remedy="Upload further or corrected files as a new batch.",
        )
