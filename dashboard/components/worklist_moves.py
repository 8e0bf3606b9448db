"""The site's list of scans to be taken again: every row with the buttons of its request."""

from collections.abc import Sequence
from datetime import date

import streamlit as st

from core.store.access import Actor
from core.store.worklist import ItemRequest, WorklistItem
from dashboard.components.panel import panel
from dashboard.components.request_moves import Movable, draw_moves
from dashboard.components.worklist_rows import item_name, worklist_rows


def draw_rows_with_moves(items: Sequence[WorklistItem], actor: Actor, today: date) -> None:
    """One row per scan with what the site may do about its request below it."""
    for item in items:
        with st.container(gap="xsmall", key=f"octaudit-row-{item.scan_id}"):
            panel(worklist_rows([item], today), key=f"row-{item.scan_id}")
            if item.request is not None:
                draw_moves(movable(item, item.request), actor, today=today, where=f"worklist.{item.scan_id}")


def movable(item: WorklistItem, request: ItemRequest) -> Movable:
    """The request of a row, as its buttons need it."""
    return Movable(
        id=request.id,
        version=request.version,
        state=request.state,
        study_id=item.study_id,
        site_id=item.site_id,
        owner_id=request.owner_id,
        name=item_name(item),
    )
