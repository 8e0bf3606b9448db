"""What a technician reads of the own work, in sentences and one comparison bar. Markup from frozen values; no names."""

from collections.abc import Sequence
from datetime import date

from core.statistics.funnel import MIN_COUNTED, MIN_PATIENTS
from core.statistics.proportions import Proportion
from core.store.certificate import CertificateRow
from core.store.first_pass import StudyMedian
from core.usecases.give_feedback import CAUSE_WEEKS, Feedback
from core.vocabulary import CertificateState
from core.wording import KIND_NAMES
from dashboard.components.markup import Content, Html, chip, count, join, page_link, percent, tag
from dashboard.components.rate import interval_bar, rate_card

FEWEST_UNITS = 5
"""Below so many units the database gives no median, so that nobody can be worked out from it."""
CERTIFICATE_WORDS = {
    CertificateState.CERTIFIED: ("certified", "good"),
    CertificateState.RECHECK_DUE: ("to be checked again", "warn"),
    CertificateState.REQUESTED: ("asked for", "info"),
    CertificateState.UNDER_REVIEW: ("being looked at", "info"),
}


def own_rate(found: Feedback) -> Html:
    """Both rates side by side: the own one, and the middle one of the study."""
    what = "Of those decided, replacements left out: first captures that you took."
    if found.place.technician_id is None:
        what = "Of those decided, replacements left out: first captures of your site."
    return tag(
        "div",
        rate_card("Gradable at the first pass", found.rate, delta=Html(""), unit="first captures", what=what),
        median_card(found.median, is_site=found.place.technician_id is None),
        class_="rates",
    )


def median_card(median: StudyMedian | None, *, is_site: bool) -> Html:
    """The study's median with its interval, of how many; without one, why."""
    units = "sites" if is_site else "technicians"
    title = tag("h3", f"Median of the study's {units}")
    if median is None:
        why = f"Not shown: fewer than {FEWEST_UNITS} {units} have {MIN_COUNTED} decided captures in this period."
        return tag("section", title, tag("p", why, class_="what"), class_="rate")
    interval = f"95 % interval {percent(median.low)} – {percent(median.high)}"
    figure = tag("div", tag("strong", percent(median.median)), tag("span", interval, class_="muted"), class_="figure")
    n = median.n_units
    shown = Proportion(median.median, median.low, median.high, n, n, 0.95)
    axis = tag("div", *(tag("span", text) for text in ("0", "50", "100 %")), class_="axis", aria_hidden="true")
    what = tag("p", tag("b", f"{count(n)} {units}"), f" with {MIN_COUNTED} decided captures or more.", class_="what")
    return tag("section", title, figure, interval_bar(shown, is_tall=True), axis, what, class_="rate")


def verdict(found: Feedback) -> Html:
    """One sentence that says how the two compare, as far as the captures allow."""
    return tag("p", *_verdict(found), class_="verdict", role="status")


def _verdict(found: Feedback) -> Sequence[Content]:
    if found.rate is None:
        return (tag("b", "Nothing decided in this period yet. "), "Your rate appears with the first graded captures.")
    if not found.is_judged:
        need = f"{MIN_COUNTED} decided captures of {MIN_PATIENTS} patients"
        return (tag("b", "Too few to judge. "), f"A comparison needs {need}; look at the reasons below meanwhile.")
    if found.median is None:
        return (tag("b", f"{percent(found.rate.value)} of your first captures are gradable."),)
    if found.rate.low > found.median.high:
        return (tag("b", "Above the study's median. "), "The intervals do not overlap: that is more than chance.")
    if found.rate.high < found.median.low:
        return (
            tag("b", "Below the study's median. "),
            "The intervals do not overlap: the reasons below say where to begin.",
        )
    return (tag("b", "As the study's median, within chance. "), "The intervals overlap.")


def cause_lead(found: Feedback) -> Html:
    """How many failed lately, before the tip of the main reason."""
    n = found.causes.failed
    weeks = f"the last {CAUSE_WEEKS} weeks"
    if not n:
        return tag("p", f"None of your decided first captures of {weeks} is ungradable.")
    verb = "is" if n == 1 else "are"
    return tag("p", f"{count(n)} of {count(found.causes.decided)} decided first captures of {weeks} {verb} ungradable.")


def certificates(rows: Sequence[CertificateRow], today: date) -> Html:
    """The person's own certificates, and until when they hold."""
    if not rows:
        return tag("p", "No certificate in your name is recorded. Ask the reading centre if your study needs one.")
    return tag("ul", *(_certificate(row, today) for row in rows), class_="signals")


def _certificate(row: CertificateRow, today: date) -> Html:
    state = row.standing_on(today)
    words, tone = CERTIFICATE_WORDS.get(state, (state.value.replace("_", " "), "bad"))
    until = f" until {row.expires_on:%d %b %Y}" if row.expires_on is not None else ""
    return tag("li", f"{KIND_NAMES[row.kind]}: ", chip(words, tone), until)


def footnote(found: Feedback, as_of: str) -> Html:
    """What is shown and of whom."""
    place = found.place
    whose = (
        f"technician code {place.technician_code}, site {place.site_code}"
        if place.technician_code
        else f"all of site {place.site_code}: your account is linked with no technician code (Admin does that)"
    )
    worklist = page_link("your worklist", "worklist")
    days = f"{found.since:%d %b %Y} to before {found.until:%d %b %Y}"
    return tag(
        "p",
        join(
            [f"Shown: {whose}, captures from {days}. As of {as_of} UTC. What is to be done stands in ", worklist, ". "]
        ),
        "Of others only the median is given, never a name or a rate of anybody.",
        class_="muted small",
    )
