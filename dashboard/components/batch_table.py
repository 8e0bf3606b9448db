"""The table of a draft: one row per readable file, every cell stored the moment it is left; columns fill at once."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from core.intake.manifest import COLUMN_LABELS, COLUMNS, Entry
from core.scoring.contract import OPEN_LANES
from core.store.access import Actor
from core.store.batch import BatchHead, SiteRoster, StoredFile
from core.usecases.check_batch import FileCheck
from core.usecases.open_batch import fill_in, take_out
from core.vocabulary import Laterality, Slab
from dashboard.session import open_session

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

TABLE_COLUMNS = tuple(name for name in COLUMNS if name not in {"study", "site"})
"""Study and site are the batch's own."""
_WIDTHS = {"eye": 75, "field_width_mm": 115, "field_height_mm": 120, "acquired_at": 150, "visit": 80, "file": 190}
TO_CORRECT = "to_correct"
"""The column that names, in red, which cells of its row stop the file."""
_RED = "background-color: rgba(214, 64, 52, .28)"
"""Seen on both themes: the grid writes what cannot be edited in a pale text of its theme, whatever colour is asked."""
_CHOICES = {
    "eye": [eye.value for eye in Laterality],
    "kind": [kind.value for kind in OPEN_LANES],
    "slab": [slab.value for slab in Slab],
}


def draw_table(actor: Actor, head: BatchHead, checks: Sequence[FileCheck], roster: SiteRoster) -> None:
    """Draw the table of these files, which could be read, and store what is changed in it."""
    files = [check.file for check in checks]
    choices = _CHOICES | {"device": list(roster.device_ids), "technician": list(roster.technician_ids)}
    _draw_tools(actor, head, files, choices)
    frame = _frame(files)
    key = f"table-{head.id}-{_version(head)}"
    # The editor keeps its own edits; it must get the same frame until the table changes from outside.
    frame = st.session_state.setdefault(f"{key}-frame", frame)
    st.data_editor(
        marked(frame, checks),
        key=key,
        hide_index=True,
        num_rows="fixed",
        placeholder="",
        column_config=_column_config(choices),
        height=min(38 + 35 * max(len(files), 1), 560),
        on_change=_store_edits,
        args=(actor, head.id, key, [file.id for file in files]),
    )


def marked(frame: pd.DataFrame, checks: Sequence[FileCheck]) -> "Styler":
    """The frame with what is to be corrected in each row beside the file's name, both red where that is anything."""
    shown = frame.copy()
    shown.insert(1, TO_CORRECT, [", ".join(columns_to_correct(check)) for check in checks])

    def colours(row: "pd.Series[str]") -> list[str]:
        return [_RED if row[TO_CORRECT] else ""] * len(row)

    return shown.style.apply(colours, axis=1, subset=["file", TO_CORRECT])


def columns_to_correct(check: FileCheck) -> tuple[str, ...]:
    """The columns of its row that stop a file, as people read them; what stops it otherwise is ``the file``."""
    fields = [problem.field for problem in check.problems if problem.is_blocking]
    return tuple(dict.fromkeys(COLUMN_LABELS.get(field, "the file") if field else "the file" for field in fields))


def renew_table(batch_id: int) -> None:
    """Make the next run draw the table anew from the database."""
    st.session_state[f"table-version-{batch_id}"] = st.session_state.get(f"table-version-{batch_id}", 0) + 1


def _version(head: BatchHead) -> int:
    version: int = st.session_state.get(f"table-version-{head.id}", 0)
    return version


def _frame(files: Sequence[StoredFile]) -> pd.DataFrame:
    rows = [{"file": file.name} | {name: file.entry.get(name, "") for name in TABLE_COLUMNS[1:]} for file in files]
    return pd.DataFrame(rows, columns=list(TABLE_COLUMNS), dtype="object")


def _column_config(choices: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    why = "Cells of this row that stop the file. Below the table stands what is wrong with each, and what cures it."
    config: dict[str, Any] = {
        TO_CORRECT: st.column_config.TextColumn("To correct", help=why, width=150, disabled=True, pinned=True)
    }
    for name in TABLE_COLUMNS:
        note = (Entry.model_fields[name].description or "").capitalize()
        options: dict[str, Any] = {"label": COLUMN_LABELS[name], "help": note, "width": _WIDTHS.get(name)}
        if name == "file":
            config[name] = st.column_config.TextColumn(**options, disabled=True, pinned=True)
        elif name in choices:
            config[name] = st.column_config.SelectboxColumn(**options, options=list(choices[name]))
        else:
            config[name] = st.column_config.TextColumn(**options, max_chars=200)
    return config


def _store_edits(actor: Actor, batch_id: int, key: str, file_ids: Sequence[int]) -> None:
    """Write the rows that the editor says were changed since its frame was made."""
    frame: pd.DataFrame = st.session_state[f"{key}-frame"]
    changed: dict[int, dict[str, Any]] = {}
    for position, cells in st.session_state[key]["edited_rows"].items():
        row = frame.iloc[int(position)].to_dict() | cells
        changed[file_ids[int(position)]] = {name: value for name, value in row.items() if _is_filled(value)}
    with open_session() as session:
        fill_in(session, actor=actor, batch_id=batch_id, entries=changed)


def _is_filled(value: object) -> bool:
    return value is not None and value == value and str(value).strip() != ""  # noqa: PLR0124 - NaN differs from itself


def _draw_tools(
    actor: Actor, head: BatchHead, files: Sequence[StoredFile], choices: Mapping[str, Sequence[str]]
) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.popover("Fill a column", icon=":material/format_paint:"):
            _draw_fill(actor, head, files, choices)
        with st.popover("Take files out", icon=":material/delete:"):
            _draw_removal(actor, head, files)
        st.link_button(
            "Table template (CSV)", "/api/v1/manifest-template.csv", icon=":material/download:", type="tertiary"
        )


def _draw_fill(
    actor: Actor, head: BatchHead, files: Sequence[StoredFile], choices: Mapping[str, Sequence[str]]
) -> None:
    name = st.selectbox(
        "Column", TABLE_COLUMNS[1:], format_func=lambda each: COLUMN_LABELS[each], key=f"fill-{head.id}"
    )
    options = choices.get(name)
    if options is not None:
        value = st.selectbox("Value", options, key=f"fill-value-{head.id}-{name}")
    else:
        value = st.text_input(
            "Value", key=f"fill-value-{head.id}-{name}", placeholder=(Entry.model_fields[name].examples or [""])[0]
        )
    is_for_all = st.toggle("Replace what is filled in already", key=f"fill-all-{head.id}")
    if st.button("Fill down", type="primary", disabled=not value, key=f"fill-go-{head.id}"):
        entries = {file.id: file.entry | {name: value} for file in files if is_for_all or not file.entry.get(name)}
        with open_session() as session:
            fill_in(session, actor=actor, batch_id=head.id, entries=entries)
        renew_table(head.id)
        st.rerun()


def _draw_removal(actor: Actor, head: BatchHead, files: Sequence[StoredFile]) -> None:
    names = {file.id: file.name for file in files}
    chosen = st.multiselect(
        "Files", list(names), format_func=lambda id_: names.get(id_, ""), key=f"remove-{head.id}", select_all=False
    )
    if st.button("Take out", disabled=not chosen, key=f"remove-go-{head.id}"):
        with open_session() as session:
            take_out(session, actor=actor, batch_id=head.id, file_ids=chosen)
        renew_table(head.id)
        st.rerun()
