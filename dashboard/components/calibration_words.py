"""What a calibration check says, in sentences. Markup and captions from frozen values."""

from core.statistics.calibration import Calibration
from core.statistics.resampling import Interval
from core.store.graded_scan import Reference
from core.usecases.check_calibration import MIN_PATIENTS, MIN_SCANS, CalibrationCheck
from core.values import NotComputable
from core.wording import with_minus
from dashboard.components.markup import Html, count, percent, tag

REFERENCE_NAMES = {
    Reference.MASKED: "Against masked grades",
    Reference.DECISIONS: "Against decisions",
}
RELIABILITY_CAPTION = (
    "**Reliability curve.** Scans in five bins of equal number by the model's probability of *ungradable*; on the "
    "dashed diagonal the model is as sure as it should be, above it too many are ungradable. Bars are 95 % intervals "
    "over patients; thin lines are single devices."
)
EXCESS_CAPTION = (
    "**By device.** Share that people called ungradable minus what the model foresaw, with 95 % intervals over "
    "patients: to the right the model promises too much. ▲ differs from nought by more than chance explains; of twenty "
    "sound devices about one does."
)
DECISIONS_CAPTION = (
    "Decisions are no fair sample: reviewers saw the model's grade, and mostly flagged scans are reviewed. Expect an "
    "excess that is the sample's, not the model's; masked grades are free of it."
)


def calibration_words(found: CalibrationCheck) -> Html:
    """How sure the model is against how often people agree, and which devices are off."""
    if isinstance(found.all.found, NotComputable):
        return tag("p", f"Calibration cannot be told: {found.all.found.reason}.", class_="verdict", role="status")
    known = found.all.found
    judged = [each for each in found.devices if isinstance(each.found, Calibration)]
    off = [each.name for each in judged if each.is_off]
    names = f": {', '.join(off)}" if off else ""
    lead = f"{len(off)} of {len(judged)} devices that can be judged {'is' if len(off) == 1 else 'are'} off{names}."
    if not judged:
        lead = "No single device has enough grades to be judged."
    excess = f" ({_signed(known.excess)})" if isinstance(known.excess, Interval) else ""
    slope = f"; slope {_plain(known.slope)}, 1 is right" if isinstance(known.slope, Interval) else ""
    error = "" if found.all.error is None else f"; expected calibration error {percent(found.all.error, 1)}"
    rest = (
        f" Over all the model foresaw {percent(known.predicted, 1)} ungradable, people called "
        f"{percent(known.observed, 1)} so{excess}{slope}{error}. "
        f"{count(known.n_scans)} scans of {count(known.n_patients)} patients."
    )
    return tag("p", tag("b", lead), rest, class_="verdict", role="status")


def few_words(found: CalibrationCheck) -> str:
    """Which devices have too few grades to be judged."""
    few = [f"{each.name} ({each.n_scans})" for each in found.devices if not isinstance(each.found, Calibration)]
    if not few:
        return ""
    return f" Too few to judge (fewer than {MIN_SCANS} graded scans or {MIN_PATIENTS} patients): {', '.join(few)}."


def _signed(found: Interval) -> str:
    value, low, high = (with_minus(f"{100 * each:+.1f}") for each in (found.value, found.low, found.high))
    return f"{value} points, 95 % interval {low} to {high}"


def _plain(found: Interval) -> str:
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"
