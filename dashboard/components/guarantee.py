"""What a study's accept level promises with a model's calibration scans, in figures and in words. Markup only."""

from core.scoring.acceptance import AcceptEvidence, accept_evidence, accept_rule
from core.scoring.card import Calibration
from core.statistics.proportions import Proportion
from core.values import NotComputable
from dashboard.components.markup import Content, Html, chip, count, join, percent, tag

NO_GUARANTEE = (
    "No guarantee is given: this model's card has no calibration scans, so the study's level cannot be turned into a "
    "threshold. The model abstains below a fixed confidence instead."
)
INHERITED = "Deep slabs that inherit the superficial slab's grade lie outside."


def accept_line(calibration: Calibration | None, level: float) -> Html:
    """One line under a grade: from where on a person must look, and what that keeps."""
    if calibration is None:
        return tag("p", "No accept guarantee: the model's card has no calibration scans.", class_="small muted")
    rule = accept_rule(calibration, level)
    if rule.why_nothing is not None:
        return tag(
            "p", "Nothing is accepted without a person: too few calibration scans for the level.", class_="small"
        )
    words = f"Accepted without a person only where P(ungradable) is below {percent(rule.threshold, 1)}"
    return tag("p", f"{words} (level {percent(level, 1)} of all scans).", class_="small muted")


def accept_guarantee(calibration: Calibration | None, level: float, *, model: str, is_inherit: bool) -> Html:
    """Level, calibration set, threshold, expected abstention and what passes wrongly, then what it does not say."""
    if calibration is None:
        return tag("p", f"{model}. {NO_GUARANTEE}", class_="small")
    evidence = accept_evidence(calibration, level)
    rows = _rows(evidence, calibration, model)
    figures = tag("dl", *(join([tag("dt", name), tag("dd", value)]) for name, value in rows), class_="facts")
    words = tag("div", *_words(evidence, calibration, is_inherit=is_inherit), style="margin-top:.8rem")
    return tag("section", figures, words, aria_label="Accept guarantee")


def _rows(evidence: AcceptEvidence, calibration: Calibration, model: str) -> list[tuple[str, Content]]:
    rule = evidence.rule
    threshold: Content = f"graded gradable with P(ungradable) below {percent(rule.threshold, 1)}"
    if rule.why_nothing is not None:
        threshold = join([chip("nothing", "warn"), f" {rule.why_nothing}"])
    size = f"{count(evidence.n_scans)} scans in {count(evidence.n_groups)} groups"
    return [
        ("Model", model),
        ("Level", f"at most {percent(rule.level, 1)} of all scans accepted although ungradable"),
        (
            "Calibration",
            f"{size}, {count(evidence.n_ungradable)} of them ungradable; from {', '.join(calibration.sources)}",
        ),
        ("Accepted without a person", threshold),
        ("Expected to be left to a person", _share(evidence.abstained, "scans")),
        ("Accepted although ungradable", _share(evidence.accepted_ungradable, "scans")),
        ("Ungradable among the accepted", _share(evidence.ungradable_among_accepted, "accepted")),
    ]


def _share(share: Proportion | NotComputable, unit: str) -> str:
    if isinstance(share, NotComputable):
        return "nothing is accepted"
    interval = f"exact 95 % interval {percent(share.low, 1)} – {percent(share.high, 1)}"
    return f"{percent(share.value, 1)} ({count(share.k)} of {count(share.n)} {unit}), {interval}"


def _words(evidence: AcceptEvidence, calibration: Calibration, *, is_inherit: bool) -> list[Html]:
    sentences = [
        "The guarantee is marginal: it holds on average, for scans exchangeable with the calibration scans (drawn like "
        "them), and not for each site, device or source. " + (INHERITED if is_inherit else ""),
        f"It rests on their labels. {calibration.labels} With graded scans of your own the guarantee rests on yours.",
        f"Scans of a device, field or slab that no calibration scan shows go to a person. {_covered(calibration)}",
        f"Figures leave each group out in turn, so none of the {count(evidence.n_scans)} chose its own threshold.",
    ]
    return [tag("p", sentence.strip(), class_="small muted") for sentence in sentences]


def _covered(calibration: Calibration) -> str:
    fields = ", ".join(f"{width:g} × {height:g} mm" for width, height in calibration.fields_mm)
    covered = {
        "Devices": ", ".join(calibration.devices),
        "fields": fields,
        "slabs": ", ".join(slab.value for slab in calibration.slabs),
    }
    return "; ".join(f"{name}: {words or 'not recorded'}" for name, words in covered.items()) + "."
