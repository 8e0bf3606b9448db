"""The view *FAZ by hand* of the page Agreement: the model's metric against outlines that people drew."""

from dataclasses import replace
from functools import partial

import streamlit as st

from core.charts.bland_altman import SELECTED, draw_bland_altman, pair_rows
from core.charts.captions import BLAND_ALTMAN_CAPTION
from core.charts.dictionaries import METHOD_PAIR_COLUMNS
from core.clock import now
from core.store.scan_filter import ScanFilter, read_filter_choices
from core.usecases.compare_outlines import MethodAgreement, OutlineComparison, compare_outlines
from dashboard.components.chart import draw_chart
from dashboard.components.chart_data import ChartData, draw_chart_data
from dashboard.components.faz_choice import draw_faz_choice, octa_types
from dashboard.components.outline_exchange import draw_outline_exchange
from dashboard.components.outline_words import NOTHING, WHAT_NEXT, outline_cards, outline_words
from dashboard.components.panel import empty_state, panel
from dashboard.components.scan_strips import open_picked
from dashboard.filters import FINER_FIELDS, Field, Period, draw_filters
from dashboard.session import open_session

FIELDS = (Field.STUDY, Field.SITE, Field.DEVICE, Field.TECHNICIAN, Field.EYE, Field.PERIOD, *FINER_FIELDS)


def draw_faz_agreement() -> None:
    """Choose, load and draw."""
    with open_session() as session:
        chosen = draw_filters(session, FIELDS, today=now().date(), period=Period.ALL)
        choices = read_filter_choices(session, ScanFilter())
        types = octa_types(choices.scan_types)
        if not types:
            empty_state(NOTHING, "Outlines need scored OCTA scans.", key="empty")
            return
        with st.container(horizontal=True, gap="small"):
            column, slab, type_ = draw_faz_choice(types)
        chosen = replace(chosen, slab=slab, scan_type=type_)
        found = compare_outlines(session, chosen, column)
    if found.readers:
        panel(outline_words(found), key="outlines")
        panel(outline_cards(found), key="cards")
        _draw_plots(found)
        st.caption(
            f"As of {found.as_of:%d %b %Y, %H:%M} UTC. Unit of analysis: patients, one scan of each; of a reader's "
            "outlines of a scan the newest, of several readers their mean. Nominal millimetres on both sides."
            + (" Only the newest outlines are read." if found.is_cut else "")
        )
    else:
        empty_state(NOTHING, WHAT_NEXT, key="empty")
    study_id = chosen.study_id or (choices.studies[0].id if len(choices.studies) == 1 else None)
    draw_outline_exchange(chosen, study_id)


def _draw_plots(found: OutlineComparison) -> None:
    drawn = [pair for pair in (found.model, found.people) if pair.pairs]
    picked = None
    for column, pair in zip(st.columns(max(len(drawn), 1), gap="medium"), drawn, strict=False):
        with column:
            picked = _draw_plot(pair, found.column) or picked
    st.caption(BLAND_ALTMAN_CAPTION)
    open_picked(picked)


def _draw_plot(pair: MethodAgreement, column: str) -> dict[str, object] | None:
    name = f"{pair.other} minus {pair.reference}"
    picked = draw_chart(
        draw_bland_altman(pair, column), alt=f"Bland-Altman plot: {name} over the mean of both.", selection=SELECTED,
        key=f"octaudit.bland-altman.{name}",
    )  # fmt: skip
    file_name = f"faz-{pair.other}-against-{pair.reference}".replace(" ", "-")
    draw_chart_data(ChartData(file_name, partial(pair_rows, pair), METHOD_PAIR_COLUMNS))
    return picked
