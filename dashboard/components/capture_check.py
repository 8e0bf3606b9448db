"""The check list of the scan page: what the protocol asks of the capture, and the device's own index. Markup only."""

from core.measures.device_index import INDEX_LIMITS
from core.policy.capture_check import Check
from core.store.scan_view import ScanView
from core.vocabulary import Slab
from core.wording import SLAB_NAMES, scan_type_words
from dashboard.components.markup import Content, Html, chip, join, tag

SUBJECT_NAMES = {
    "laterality": "Eye",
    "scan_type": "Field",
    "slab": "Slab",
    "software": "Software",
    "device": "Device",
    "scale": "Scale",
}


def check_list(view: ScanView, checks: tuple[Check, ...]) -> Html:
    """One line per check: what was found, what is asked, and whether the two agree."""
    lines = [
        _line(SUBJECT_NAMES[check.subject], _words(check, check.found), _asked(check), check.is_met)
        for check in checks
        if check.subject != "slab" or check.asked or Slab(check.found) is not Slab.UNKNOWN  # B-scans have none
    ]
    table = tag(
        "table",
        tag(
            "thead", tag("tr", *(tag("th", name, scope="col") for name in ("What", "Found", "Protocol asks", "Result")))
        ),
        tag("tbody", *lines, _index_line(view)),
        class_="checks",
    )
    return tag("div", table, class_="scroll")


def _line(name: str, found: Content, asked: Content, is_met: bool | None) -> Html:
    mark = {True: chip("as asked", "good"), False: chip("differs", "bad"), None: chip("not asked")}[is_met]
    return tag("tr", tag("th", name, scope="row"), tag("td", found), tag("td", asked), tag("td", mark))


def _words(check: Check, value: str) -> str:
    if not value:
        return "not stated"
    if check.subject == "scan_type":
        return scan_type_words(value)
    return SLAB_NAMES[Slab(value)] if check.subject == "slab" else value


def _asked(check: Check) -> str:
    if not check.asked:
        return "–"
    if check.subject == "scan_type":
        return " or ".join(scan_type_words(each) for each in check.asked.split(" or "))
    if check.subject == "slab":
        return " and ".join(SLAB_NAMES[Slab(each)].lower() for each in check.asked.split(" and "))
    return f"{check.asked} (registered)" if check.subject == "software" else check.asked


def _index_line(view: ScanView) -> Html:
    """The device's index against its published limit; one without a limit is shown and not judged."""
    if view.device_quality is None:
        return _line("Device index", "not stated", "–", None)
    name, value = view.device_quality
    limit = INDEX_LIMITS.get(name)
    if limit is None:
        return _line("Device index", f"{name} {value:g}", "no published limit", None)
    asked = join([f"{limit.limit:g} or more ", tag("span", f"({limit.device})", class_="muted", title=limit.source)])
    return _line("Device index", f"{name} {value:g}", asked, limit.is_met_by(value))
