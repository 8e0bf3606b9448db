"""Title, metrics, facts and history of one scan. Markup from a frozen value."""

from core.measures.words import FAZ, INDICES, MEASURES, PERCENT_UNIT, MeasureWords
from core.policy.review_form import letter
from core.store.same_image import SentScan
from core.store.scan_history import HistoryEntry
from core.store.scan_view import ScanView
from core.values import Measure, Measured, NotComputable
from core.vocabulary import ScanKind
from core.wording import (
    DECISION_NAMES,
    EYE_NAMES,
    REASON_NAMES,
    REQUEST_NAMES,
    REQUEST_STEPS,
    SEVERITY_NAMES,
    SLAB_NAMES,
    STATE_NAMES,
    SUSPENDED,
    SUSPENDED_HINT,
    grade_name,
    scan_words,
)
from dashboard.components.markup import Content, Html, chip, join, page_link, tag


def title(view: ScanView) -> Html:
    """Which eye of whom, taken where and when, and how the scan stands."""
    eye = tag("div", view.laterality, tag("small", EYE_NAMES[view.laterality]), class_="eye")
    sub = f"{view.study_code} · {view.site_code} {view.site_name} · {view.acquired_at:%d %b %Y, %H:%M} UTC"
    what = scan_words(view.scan_type, view.slab)
    words = tag(
        "div",
        tag("h1", f"{view.subject_code} · {view.visit_code} · {what}"),
        tag("p", sub, class_="sub"),
    )
    states = [chip(STATE_NAMES[view.state], "info")]
    if view.request is not None:
        states.append(chip(f"Request: {REQUEST_NAMES[view.request.state].lower()}"))
    if view.is_device_suspended:
        states.append(chip(SUSPENDED, "bad", title=SUSPENDED_HINT))
    return tag("header", eye, words, tag("div", *states, class_="states"), class_="title")


def measures_table(view: ScanView) -> Html:
    """Every metric with its unit, or "not computable" with the reason."""
    assessment = view.assessment
    if assessment is None:
        return tag("p", "Not scored yet.", class_="muted")
    measures = assessment.released_measures(view.human_ordinal)
    body: list[Html] = []
    for group, entries in MEASURES.items():
        body.append(tag("tr", tag("th", group, colspan=3, scope="colgroup", class_="muted")))
        body += [_measure_row(words, measures[name]) for name, words in entries.items()]
    notes = []
    if view.scale is not None and not view.scale.axial_length_corrected:
        notes.append("Millimetres are nominal: not corrected for axial length.")
    if assessment.is_faz_touching_border and isinstance(measures["faz_area_mm2"], Measured):
        notes.append(f"{FAZ} touches the image's border: its area is a lower bound.")
    if assessment.centration_severity is not None:
        notes.append(f"Decentration: {SEVERITY_NAMES[assessment.centration_severity]}.")
    if assessment.why_no_cam is not None:
        notes.append(f"Grad-CAM not computable: {assessment.why_no_cam}.")
    table = tag("div", tag("table", tag("tbody", *body), class_="measures"), class_="scroll")
    return join([table, tag("p", " ".join(notes), class_="small muted") if notes else None])


def indices_table(view: ScanView) -> Html:
    """The image indices with the agreement of the network's levels, for lanes that measure no foveal avascular zone."""
    assessment = view.assessment
    if assessment is None:
        return tag("p", "Not scored yet.", class_="muted")
    measures = assessment.released_measures(view.human_ordinal)
    rows = [_measure_row(words, measures[name]) for name, words in MEASURES[INDICES].items()]
    return tag("div", tag("table", tag("tbody", *rows), class_="measures"), class_="scroll")


def _measure_row(words: MeasureWords, measure: Measure) -> Html:
    name = tag("th", words.name, scope="row", title=words.meaning)
    match measure:
        case NotComputable(reason):
            return tag("tr", name, tag("td", f"not computable: {reason}", colspan=2, class_="muted"))
        case Measured(value):
            shown = 100 * value if words.unit == PERCENT_UNIT else value
            return tag("tr", name, tag("td", f"{shown:.{words.decimals}f}", class_="num"), tag("td", words.unit))


def facts(view: ScanView) -> Html:
    """Where the scan comes from and what judged it."""
    rows: list[tuple[str, Content]] = [
        ("Site", f"{view.site_code} · {view.site_name}"),
        ("Subject, visit", f"{view.subject_code}, {view.visit_code}"),
        ("Visit window", f"until {view.window_ends_on:%d %b %Y}" if view.window_ends_on else "none"),
        ("Capture", view.acquisition_code),
        ("Device", f"{view.device_code} · {view.device_name}, serial {view.device_serial}"),
        ("Software", view.software_version or "not stated"),
        ("Technician", view.technician_code or "not stated"),
        ("Field", _field(view)),
        ("Scale", f"from {view.scale.source}" if view.scale else "not known: no millimetres are reported"),
    ]
    if view.device_quality is not None:
        rows.append(("Device index", f"{view.device_quality[0]} {view.device_quality[1]:g}"))
    if view.axial_length_mm is not None:
        rows.append(("Axial length", f"{view.axial_length_mm:.2f} mm"))
    if view.assessment is not None:
        model = view.assessment
        weights = tag("span", f"weights {model.weights_sha256[:12]}", title=model.weights_sha256)
        rows += [
            ("Model", join([f"{model.model_name} {model.model_version}, ", weights])),
            ("Preprocessing", model.preprocessing),
            ("Protocol", f"version {model.protocol_number}"),
            ("Scored", f"{model.scored_at:%d %b %Y, %H:%M} UTC"),
        ]
    others = [slab for slab in view.slabs if slab.scan_id != view.scan_id]
    if others:
        links = (page_link(SLAB_NAMES[slab.slab], "scan", {"id": slab.scan_id}) for slab in others)
        rows.append(("Other slabs", join(links, ", ")))
    if view.request is not None and view.request.replacement_scan_id is not None:
        rows.append(("Replaced by", page_link("the newer scan", "scan", {"id": view.request.replacement_scan_id})))
    return tag("dl", *(join([tag("dt", name), tag("dd", value)]) for name, value in rows), class_="facts")


def _field(view: ScanView) -> str:
    size = f"{view.field_mm[0]:g} × {view.field_mm[1]:g} mm" if view.field_mm else "not stated"
    own = next(slab for slab in view.slabs if slab.scan_id == view.scan_id)
    return f"{size}, {own.width_px} × {own.height_px} px"


def same_image(view: ScanView) -> Html:
    """That other sites sent this very image too; nothing where none did or the person may not see them."""
    return join(_same_image(sent) for sent in view.same_image)


def _same_image(sent: SentScan) -> Html:
    link = page_link(f"scan {sent.scan_id}", "scan", {"id": sent.scan_id})
    who = f"The same image was also sent by site {sent.site_code} {sent.site_name}: "
    whose = f"There it is {sent.study_code} {sent.subject_code}, taken {sent.acquired_at:%d %b %Y}. "
    return tag(
        "div",
        tag("p", who, link, class_="lead"),
        tag("p", whose, "One of the two is not what it is said to be: ask both sites before either counts."),
        class_="reason bad",
        role="note",
    )


def history(view: ScanView) -> Html:
    """What happened to the scan, the latest first."""
    return tag("ol", *(_event(entry, view.kind) for entry in reversed(view.history)), class_="timeline")


def _event(entry: HistoryEntry, kind: ScanKind) -> Html:
    if entry.decision is not None:
        text = DECISION_NAMES[entry.decision]
    elif entry.request_state is not None:
        state = entry.request_state
        text = REQUEST_STEPS[state] if entry.who else f"request for a new scan: {REQUEST_NAMES[state].lower()}"
    else:
        text = entry.text
    grade = f": {grade_name(entry.ordinal, kind)}" if entry.ordinal is not None else ""
    who = tag("b", f"{entry.who} ") if entry.who else None
    sentence = text if entry.who else text[:1].upper() + text[1:]
    if entry.is_bulk:
        sentence += " together with others, after a sample"
    note = tag("div", tag("q", entry.note)) if entry.note else None
    taken_back = join([" ", chip("undone", "warn")]) if entry.is_undone else None
    when = tag("time", f"{entry.happened_at:%d %b %Y, %H:%M} UTC", datetime=entry.happened_at.isoformat())
    return tag(
        "li", when, who, sentence, grade, taken_back, _letters(entry), note, class_="person" if entry.who else None
    )


def _letters(entry: HistoryEntry) -> Html | None:
    """What failed on the review's form; nothing where none was filled in."""
    if entry.failed is None:
        return None
    if not entry.failed:
        return tag("div", "all letters passed", class_="small muted")
    names = ", ".join(f"{letter(code)} {REASON_NAMES[code].lower()}" for code in entry.failed)
    return tag("div", f"failed: {names}", class_="small")
