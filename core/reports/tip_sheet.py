"""A tip sheet: one cause of failure on one page, in the study's own words, with simulated scans that show it."""

import base64
from functools import partial

from sqlalchemy.orm import Session

from core.charts.causes import CURES
from core.intake.canonical import encode_image
from core.phantom.octa import render_octa
from core.phantom.spec import OctaPhantomSpec
from core.reports.parts import Part
from core.reports.typeset import Document
from core.reports.versions import Versions
from core.store.report_facts import read_study
from core.vocabulary import OperatorFixable, ReasonCode
from core.wording import REASON_NAMES, reason_code_words

TITLE = "Tip sheet"
_SEED = 11
_spec = partial(OctaPhantomSpec, eye_seed=_SEED, capture_seed=_SEED)
_SHOWN = {
    ReasonCode.MP_MOTION: _spec(motion=0.85),
    ReasonCode.MP_SIGNAL: _spec(low_signal=0.8, shadow=0.5),
    ReasonCode.MP_OBVIOUS: _spec(defocus=0.9),
    ReasonCode.MP_CENTRATION: _spec(decentration=0.85),
}
"""What a simulated scan must have to show the cause; the others need a real eye's image, which no sheet carries."""
_TONES = {OperatorFixable.YES: "info", OperatorFixable.UNKNOWN: "warn", OperatorFixable.NO: "calm"}


def tip_sheet(session: Session, study_id: int, code: ReasonCode, versions: Versions) -> Document:
    """The sheet about ``code`` in the words of the protocol in force."""
    study, reason = read_study(session, study_id), versions.protocol.reason(code)
    content = {
        "name": REASON_NAMES[code],
        "below": reason_code_words(code),
        "study": study.words,
        "version": f"Protocol version {versions.number}" if versions.number is not None else "Default protocol",
        "cure": {"words": CURES[reason.operator_fixable], "tone": _TONES[reason.operator_fixable]},
        "what": reason.text,
        "remedy": reason.remedy,
        "examples": _examples(code),
    }
    return Document("tips", f"{TITLE}: {REASON_NAMES[code]}", study.code, content)


def _examples(code: ReasonCode) -> list[Part]:
    faulty = _SHOWN.get(code)
    if faulty is None:
        return []
    good, bad = _picture(_spec()), _picture(faulty)
    name = REASON_NAMES[code]
    return [
        {"svg": bad, "alt": f"Simulated scan with this fault: {name}.", "title": "With the fault", "tone": "bad"},
        {
            "svg": good,
            "alt": "Simulated scan of the same eye without fault.",
            "title": "As it should be",
            "tone": "good",
        },
    ]


def _picture(spec: OctaPhantomSpec) -> str:
    """A simulated scan as an SVG that holds it: the one form in which a template takes pictures."""
    png = base64.b64encode(encode_image(render_octa(spec, _SEED).image)).decode()
    size = spec.size_px
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}" viewBox="0 0 {size} {size}">'
        f'<image width="{size}" height="{size}" href="data:image/png;base64,{png}"/></svg>'
    )
