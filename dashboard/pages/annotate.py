"""Annotate next: which scans of a study should get a mask, their images to take away, the masks to bring back."""

from collections.abc import Sequence

import streamlit as st
from sqlalchemy.orm import Session

from core.store.access import Actor
from core.store.administration import StudyRow, list_studies
from core.store.mask import RoundRow, list_rounds, read_lanes_to_draw, read_round, read_wanted
from core.usecases.choose_masks import KEEPERS, choose_masks, foresee_round, may_choose
from core.usecases.log_in import csrf_token_for
from core.vocabulary import ScanKind
from core.wording import KIND_NAMES
from dashboard.administration.steps import draw_outcome, perform
from dashboard.components.chart_data import ChartData, draw_chart_data
from dashboard.components.markup import tag
from dashboard.components.mask_table import STEP_WORDS, choice_words, lane_words, round_table, wanted_gallery
from dashboard.components.panel import empty_state, panel
from dashboard.components.uploader import draw_mask_drop
from dashboard.filters import MAX_ID, Field, url_choice
from dashboard.installation import installation
from dashboard.session import current_user, open_session, session_token

COLUMNS = {
    "rank": "Place in the round, the most wanted first",
    "file": "What the image and its mask are called in the export",
    "bscan": "Number of the B-scan in its volume, from 1; empty where the scan is one image",
    "site": "Code of the site",
    "device": "Code of the device",
    "level_agreement": "Q, 0 to 1: how far two levels of the model agree; empty in a first set",
    "mask": "there or to draw",
}


def main() -> None:
    """Draw the page."""
    actor = current_user()
    st.title("Annotate next")
    st.caption(
        "Few masks teach much if the right scans are drawn. A first set is sharp, quiet and varied; after it come the "
        "scans on which two levels of the model disagree (QU-Net++). Of volumes single B-scans are chosen. This says "
        "what a model has not learned yet; it is no grade of a scan."
    )
    with st.container():  # its place stays when it is empty: else the drop zone would forget what it said
        draw_outcome()
    with open_session() as session:
        study_id = _chosen_study(_studies(session, actor))
        counts = [] if study_id is None else read_lanes_to_draw(session, study_id)
        rounds = [] if study_id is None else list_rounds(session, study_id)
    if study_id is None or not counts:
        empty_state("No scored scans", "Once scans of this study are scored, some can be chosen here.", key="empty")
        return
    _draw_round(actor)
    panel(lane_words(counts), key="lanes")
    if may_choose(actor, study_id):
        _draw_asking(study_id, [lane.kind for lane in counts])
    if rounds:
        panel(round_table(rounds), key="rounds")
    else:
        empty_state("No rounds yet", "Ask for the first one above.", key="no-rounds")


def _studies(session: Session, actor: Actor) -> list[StudyRow]:
    return [study for study in list_studies(session) if actor.has_role(*KEEPERS, study_id=study.id)]


def _chosen_study(studies: Sequence[StudyRow]) -> int | None:
    """The study whose scans are drawn; of several the one in the URL, because a round is one study's."""
    if len(studies) < 2:  # noqa: PLR2004 - nothing to choose from
        return studies[0].id if studies else None
    return int(url_choice("Study", Field.STUDY.value, {str(each.id): each.code for each in studies}))


def _draw_asking(study_id: int, kinds: list[ScanKind]) -> None:
    """Whose masks, and what would be asked for."""
    kind = kinds[0]
    if len(kinds) > 1:
        kind = st.segmented_control(
            "Kind of scan", kinds, default=kind, required=True, format_func=lambda each: KIND_NAMES[each]
        )
    with open_session() as session:
        choice = foresee_round(session, study_id=study_id, kind=kind)
    st.markdown(choice_words(choice, kind))

    def ask(session: Session, actor: Actor) -> str:
        round_id = choose_masks(session, actor=actor, study_id=study_id, kind=kind)
        st.query_params["round"] = str(round_id)
        return f"Round {round_id} asks for {len(choice.wanted)} masks. Take its images, draw, and bring the masks back."

    if st.button("Ask for these masks", icon=":material/draw:", type="primary", disabled=not choice.wanted):
        perform(ask)


def _draw_round(actor: Actor) -> None:
    """The round in the URL: its scans, the way out and the way in."""
    text = st.query_params.get("round", "")
    if not (text.isascii() and text.isdecimal() and int(text) <= MAX_ID):
        return
    with open_session() as session:
        row = read_round(session, int(text))
        scans = [] if row is None else read_wanted(session, row.id)
    if row is None or not actor.has_role(*KEEPERS, study_id=row.study_id):
        empty_state("No such round", "It is not there, or of a study that is not yours.", key="no-such")
        return
    st.subheader(f"Round {row.id}: {KIND_NAMES[row.kind]}, {STEP_WORDS[row.step].lower()}")
    _draw_exchange(row)
    panel(wanted_gallery(scans), key="wanted")
    lines = [
        {
            "rank": scan.rank,
            "file": scan.name,
            "bscan": "" if scan.bscan_index is None else scan.bscan_index + 1,
            "site": scan.site_code,
            "device": scan.device_code,
            "level_agreement": "" if scan.q is None else round(scan.q, 4),
            "mask": "to draw" if scan.mask_sha256 is None else "there",
        }
        for scan in scans
    ]
    draw_chart_data(ChartData(f"masks-round-{row.id}", lines, COLUMNS), behind="round")
    st.button("Close", icon=":material/close:", type="tertiary", on_click=_close)
    st.divider()


def _draw_exchange(row: RoundRow) -> None:
    left, right = st.columns((2, 3), gap="large")
    with left:
        link = tag("a", "Take the images", href=f"/annotate/{row.id}.zip", download=True)
        note = tag(
            "span", " as a zip in the layout of training: images, masks that are there, a manifest.", class_="muted"
        )
        panel(tag("p", link, note), key="images")
        st.caption("Draw one label map per image: 0 is background, every other grey level a class of its own.")
    with right:
        opened = installation()
        draw_mask_drop(opened.settings, f"mask-rounds/{row.id}", csrf_token=csrf_token_for(session_token() or ""))


def _close() -> None:
    st.query_params.pop("round", None)


main()
