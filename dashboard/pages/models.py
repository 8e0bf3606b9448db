"""Models: which one scores what, every version with its card, and scoring again before a switch. Load, choose, draw."""

from collections.abc import Sequence

import streamlit as st
from sqlalchemy.orm import Session

from core.charts.dictionaries import FIGURE_COLUMNS
from core.clock import now
from core.policy.scan_types import kind_of
from core.scoring.card_view import CardView, view_card
from core.store.access import Actor
from core.store.administration import StudyRow, list_sites, list_studies
from core.store.model_activation import list_device_models, read_activations
from core.store.model_version import ModelRow, list_model_versions, read_cards
from core.store.scan_filter import ScanFilter, read_filter_choices
from core.store.worker_process import read_processes
from core.usecases.register_model import may_retire
from core.vocabulary import ModelOrigin, Role, ScanKind
from core.wording import KIND_NAMES
from dashboard.administration.models import draw_activation, draw_end, draw_retirement
from dashboard.administration.rescoring import draw_order, draw_rescorings
from dashboard.administration.steps import draw_outcome
from dashboard.components import model_card as card
from dashboard.components import model_table as table
from dashboard.components.chart_data import ChartData, draw_chart_data
from dashboard.components.long_table import draw_long
from dashboard.components.model_faults import FAULTS_OF, fault_words, loading_faults
from dashboard.components.panel import empty_state, panel
from dashboard.filters import url_choice
from dashboard.session import current_user, open_session

VIEWS = {"force": "In force", "cards": "Versions and cards", "again": "Score again"}
NOTHING = (
    "No model is registered",
    "A worker registers its own model when it starts; the operator adds others with `octaudit model add`.",
)


def main() -> None:
    """Draw the page."""
    actor = current_user()
    st.title("Models")
    draw_outcome()
    with open_session() as session:
        studies, models = list_studies(session), list_model_versions(session)
    if not studies:
        empty_state("No study", "Models are chosen for a study; none is in your sight.", key="no-study")
        return
    with st.container(horizontal=True, gap="small"):
        view = url_choice("Show", "view", VIEWS)
        study = _chosen_study(studies)
    if not models:
        empty_state(*NOTHING, key="empty")
    elif view == "cards":
        _draw_cards(models, actor)
    elif view == "again":
        _draw_again(study, models, actor)
    else:
        _draw_force(study, models, actor)


def _chosen_study(studies: Sequence[StudyRow]) -> StudyRow:
    if len(studies) == 1:
        return studies[0]
    by_id = {str(each.id): each for each in studies}
    return by_id[url_choice("Study", "study", {id_: each.code for id_, each in by_id.items()})]


def _is_admin(actor: Actor, study: StudyRow) -> bool:
    grants = (grant for grant in actor.grants if grant.role is Role.ADMIN and grant.site_id is None)
    return any(grant.study_id in {None, study.id} for grant in grants)


def _lanes(session: Session, models: Sequence[ModelRow]) -> list[ScanKind]:
    """Those of scans in the person's sight, and those that a model is there for."""
    kinds = {kind_of(each) for each in read_filter_choices(session, ScanFilter()).scan_types}
    return [kind for kind in ScanKind if kind in kinds or any(each.kind is kind for each in models)]


def _draw_force(study: StudyRow, models: Sequence[ModelRow], actor: Actor) -> None:
    with open_session() as session:
        activations = read_activations(session, study.id)
        lanes = _lanes(session, models)
        device_models = list_device_models(session, study.id)
        faults = loading_faults(read_processes(session, since=now() - FAULTS_OF))
    own = {each.kind: each.label for each in reversed(models) if each.origin is ModelOrigin.INSTALLATION}
    if faults:
        panel(fault_words(faults, models), key="faults")
    panel(table.force_table(table.in_force(lanes, activations, own)), key="force")
    st.caption(
        "A scan is scored by the model that is active for its device when a worker takes it: the one for its device "
        "model, else the one for every device, else the installation's own."
    )
    if _is_admin(actor, study):
        draw_activation(study.id, lanes, models, device_models)
        if held := [each for each in activations if each.is_open]:
            draw_end(held)
    if ended := [each for each in activations if not each.is_open]:
        st.subheader("Earlier")
        panel(table.history_table(ended), key="history")


def _draw_cards(models: Sequence[ModelRow], actor: Actor) -> None:
    kinds = {each.kind for each in models}
    kind = ScanKind(url_choice("Lane", "lane", {each.value: KIND_NAMES[each] for each in ScanKind if each in kinds}))
    rows = [each for each in models if each.kind is kind]
    panel(table.registry_table(rows), key="registry")
    chosen = st.selectbox("Card of", rows, format_func=lambda each: each.label, key="octaudit.models.card")
    with open_session() as session:
        view = view_card(read_cards(session, [chosen.id])[chosen.id])
    _draw_card(view, chosen)
    if may_retire(actor):
        draw_retirement(chosen)


def _draw_card(view: CardView, chosen: ModelRow) -> None:
    st.subheader(chosen.label)
    panel(card.card_words(view), key="card")
    if view.compared:
        st.subheader("Beside published figures")
        panel(card.published_table(view.compared), key="published")
        st.caption(" ".join((card.PUBLISHED_CAPTION, *card.difference_words(view.compared))))
    if view.metrics:
        _draw_figures(view, chosen)
    if view.data:
        st.subheader("Data")
        panel(card.data_table(view), key="data")
    with st.expander("How it was made", icon=":material/construction:"):
        panel(card.making_words(view, chosen.weights_sha256), key="making")


def _draw_figures(view: CardView, chosen: ModelRow) -> None:
    st.subheader("Figures")
    topics = list(dict.fromkeys(each.topic for each in view.metrics))
    topic = topics[0]
    if len(topics) > 1:
        topic = st.selectbox("About", topics, format_func=lambda each: each or "Other", key="octaudit.models.topic")
    draw_long(
        [each for each in view.metrics if each.topic == topic],
        lambda metrics: panel(card.metric_table(metrics), key="metrics"),
        key=f"metrics.{chosen.id}.{topic}",
        noun="figures",
    )
    st.caption("Intervals are over subjects, near duplicates joined. A set's name says how it was kept apart.")
    rows = card.metric_rows(view.metrics)
    draw_chart_data(ChartData(f"figures-{chosen.name}-{chosen.version}", rows, FIGURE_COLUMNS), behind="table")


def _draw_again(study: StudyRow, models: Sequence[ModelRow], actor: Actor) -> None:
    is_admin = _is_admin(actor, study)
    draw_rescorings(study.id, is_admin=is_admin)
    if is_admin:
        with open_session() as session:
            lanes, sites = _lanes(session, models), list_sites(session, study.id)
        draw_order(study.id, lanes, models, sites)


main()
