"""Examples: image, marks and Grad-CAM side by side, per lane, set, grade and reason. Load, choose, draw."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import streamlit as st

from core.clock import now
from core.policy.scan_types import kind_of
from core.store.example import CLEAR_FROM, DOUBTFUL_BELOW, ExampleSet, Fault, read_examples
from core.store.scan_filter import ScanFilter, read_filter_choices
from core.vocabulary import ReasonCode, ScanKind
from core.wording import KIND_NAMES, REASON_NAMES, grade_names, percent
from dashboard.components.gallery import gallery
from dashboard.components.pager import draw_pager, page_number
from dashboard.components.panel import empty_state, panel
from dashboard.filters import FINER_FIELDS, Field, draw_filters, url_choice
from dashboard.session import open_session

PAGE_SIZE = 12
FIELDS = (
    Field.STUDY, Field.SITE, Field.DEVICE, Field.TECHNICIAN, Field.TYPE, Field.SLAB, Field.EYE, Field.PERIOD,
    *FINER_FIELDS,
)  # fmt: skip
SET_NAMES = {
    "": "All",
    ExampleSet.TYPICAL.value: "Typical",
    ExampleSet.BORDERLINE.value: "Borderline",
    ExampleSet.DISAGREEMENT.value: "Model and person differ",
    ExampleSet.CAM_OFF.value: "Grad-CAM elsewhere",
}
SET_WORDS = {
    ExampleSet.TYPICAL: (
        f"Typical: the model gives its grade a probability of {percent(CLEAR_FROM)} or more, and no person decided "
        "otherwise."
    ),
    ExampleSet.BORDERLINE: (
        f"Borderline: the model gives its grade a probability below {percent(DOUBTFUL_BELOW)}, or abstained with one "
        f"below {percent(CLEAR_FROM)}."
    ),
    ExampleSet.DISAGREEMENT: "A person decided for another grade than the model's.",
    ExampleSet.CAM_OFF: (
        "Less of the Grad-CAM lies on what the model marked than the study's protocol asks for: it looked elsewhere."
    ),
}
OF_ANY_LANE = (
    ReasonCode.UNGRADABLE, ReasonCode.ABSTAINED, ReasonCode.CAM_DISAGREEMENT, ReasonCode.PROTOCOL,
    ReasonCode.UNCERTIFIED,
)  # fmt: skip
ENFACE = (ReasonCode.MP_MOTION, ReasonCode.MP_SIGNAL, ReasonCode.MP_OBVIOUS)
STRUCTURAL = (
    ReasonCode.IB_OBVIOUS, ReasonCode.IB_SIGNAL, ReasonCode.IB_CENTRATION, ReasonCode.IB_ALGORITHM,
    ReasonCode.IB_ILLUMINATION, ReasonCode.IB_BEAM, ReasonCode.NOT_OF_KIND,
)  # fmt: skip
MACHINE_REASONS = {
    ScanKind.OCTA_ENFACE: (
        *ENFACE, ReasonCode.MP_CENTRATION, ReasonCode.NO_CENTRATION, ReasonCode.SLAB_DISAGREEMENT,
        ReasonCode.NOT_OCTA, *OF_ANY_LANE,
    ),
    ScanKind.ONH_ENFACE: (
        ReasonCode.MP_MOTION, ReasonCode.IB_SIGNAL, ReasonCode.IB_CENTRATION, ReasonCode.NOT_OF_KIND, *OF_ANY_LANE,
    ),
    ScanKind.BSCAN: (*STRUCTURAL, ReasonCode.LESION_DISAGREEMENT, *OF_ANY_LANE),
    ScanKind.VOLUME: (*STRUCTURAL, ReasonCode.NO_CENTRATION, *OF_ANY_LANE),
}  # fmt: skip
"""Reasons that the program itself gives, by lane; the others are set by people only."""


FAULT_NAMES = {
    Fault.MOTION.value: "Severe motion",
    Fault.LOW_SIGNAL.value: "Severe loss of signal",
    Fault.DECENTRATION.value: "Far off centre",
    Fault.DEVIATION.value: "Not as the protocol says",
}
"""What the Overview's matrix counts, gradable or not."""


@dataclass(frozen=True, slots=True)
class _Choice:
    """What is asked for beside the filters; None: any."""

    kind: ScanKind
    wanted: ExampleSet | None
    ordinal: int | None
    reason: ReasonCode | None
    fault: Fault | None


def main() -> None:
    """Draw the page."""
    st.title("Examples")
    with open_session() as session:
        chosen = draw_filters(session, FIELDS, today=now().date())
        types = read_filter_choices(session, ScanFilter()).scan_types
        asked = _draw_choice([kind for kind in ScanKind if any(kind_of(each) is kind for each in types)])
        number = page_number()
        found = read_examples(
            session, chosen, ordinal=asked.ordinal, reason=asked.reason, kind=asked.kind, wanted=asked.wanted,
            fault=asked.fault, page=number, page_size=PAGE_SIZE,
        )  # fmt: skip
    if asked.wanted is not None:
        st.caption(SET_WORDS[asked.wanted])
    if not found.items:
        empty_state(
            "No such scan",
            "No scored scan in this selection is of that set, grade, reason and fault. Choose others or clear the "
            "filters.",
            key="empty",
        )
        return
    panel(gallery(found.items), key="gallery")
    total = None if found.has_more else number * PAGE_SIZE + len(found.items)
    draw_pager(number, PAGE_SIZE, shown=len(found.items), total=total, noun="scans")
    st.caption(
        "Grad-CAM shows where the model looked, in the viridis colour map from violet (little) to yellow (much). "
        "It is no measurement."
    )


def _draw_choice(kinds: list[ScanKind]) -> _Choice:
    """The lane, where there are several, then set, grade and reason; all in the URL."""
    kind = kinds[0] if kinds else ScanKind.OCTA_ENFACE
    if len(kinds) > 1:
        kind = ScanKind(url_choice("Lane", "lane", {each.value: KIND_NAMES[each] for each in kinds}))
    wanted = url_choice("Set", "set", SET_NAMES)
    names, reasons = grade_names(kind), MACHINE_REASONS[kind]
    with st.container(horizontal=True, vertical_alignment="top"):
        _hold("grade", map(str, names))
        st.segmented_control(
            "Grade", ["", *map(str, names)], key="examples.grade", required=True, on_change=_choose, args=("grade",),
            format_func=lambda value: names[int(value)] if value else "All",
        )  # fmt: skip
        reason = _pick("Reason", "reason", {code.value: REASON_NAMES[code] for code in reasons}, width=280)
        fault = _pick("Fault, whatever the grade", "fault", FAULT_NAMES, width=230)
    grade = st.session_state["examples.grade"]
    return _Choice(
        kind,
        ExampleSet(wanted) if wanted else None,
        int(grade) if grade else None,
        ReasonCode(reason) if reason else None,
        Fault(fault) if fault else None,
    )


def _hold(name: str, known: Iterable[str]) -> None:
    """Set a widget to what the URL asks for, or to all where it asks for nothing that there is."""
    asked = st.query_params.get(name, "")
    st.session_state[f"examples.{name}"] = asked if asked in set(known) else ""


def _pick(label: str, name: str, words: Mapping[str, str], *, width: int) -> str:
    """One of ``words`` by its key, or the empty text for any."""
    _hold(name, words)
    st.selectbox(
        label, ["", *words], key=f"examples.{name}", on_change=_choose, args=(name,), width=width,
        format_func=lambda value: words[value] if value else "Any or none",
    )  # fmt: skip
    chosen: str = st.session_state[f"examples.{name}"]
    return chosen


def _choose(name: str) -> None:
    st.query_params.pop("page", None)
    if value := st.session_state[f"examples.{name}"]:
        st.query_params[name] = value
    else:
        st.query_params.pop(name, None)


main()
