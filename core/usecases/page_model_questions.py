"""What the page Models asks of the database; a part of core.usecases.page_questions."""

from sqlalchemy.orm import Session

from core.store.administration import list_studies
from core.store.model_activation import list_device_models, read_activations
from core.store.model_version import list_model_versions
from core.store.rescored_pair import read_rescored_pairs
from core.store.rescoring import count_scans, list_failures, read_rescoring, read_rescorings
from core.usecases.compare_findings import FIGURES, compare_findings
from core.usecases.page_visit import Visit


def models(session: Session, _: Visit) -> None:
    """All three views, for every study in sight."""
    list_model_versions(session)
    for study in list_studies(session):
        read_activations(session, study.id)
        list_device_models(session, study.id)
        orders = [order.id for order in read_rescorings(session, study.id)]
        count_scans(session, orders)
    list_failures(session, 1)
    read_rescoring(session, 1)
    read_rescored_pairs(session, 1)
    for kind in FIGURES:
        compare_findings(session, 1, kind)
