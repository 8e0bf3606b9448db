"""Which devices have drifted, in a sentence and a table. Markup from frozen values."""

from collections.abc import Mapping, Sequence

from core.statistics.drift import Drift, DriftLevel
from core.usecases.watch_inputs import DeviceDrift, InputWatch, share
from core.values import NotComputable
from core.wording import with_minus
from dashboard.components.markup import Html, chip, count, join, page_link, percent, tag
from dashboard.filters import Field

TONES = {DriftLevel.MAJOR: "bad", DriftLevel.MODERATE: "warn", DriftLevel.NONE: "calm"}
HEADS = (
    ("Device", "", ""),
    ("Drift", "", "The worse of the two: major from PSI 0.25 on, moderate by PSI, Jensen-Shannon or Wasserstein"),
    ("Score: PSI", "num", "Population stability index of the model's probability of ungradable"),
    ("Shift", "num", "Difference of the means in standard deviations of the reference; + is more often ungradable"),
    ("Index: PSI", "num", "The same of the device's own quality index"),
    ("Shift", "num", "Difference of the means in standard deviations of the reference; - is worse"),
    ("Abstained", "num", "Share of scans that the model abstained from, in this period"),
    ("No OCTA image", "num", "Share of scans that look like no OCTA image, in this period"),
    ("Scans before / now", "num", "Scored slabs"),
)  # fmt: skip


def drift_words(watch: InputWatch) -> Html:
    """How many devices have drifted, and which."""
    drifted = [each for each in watch.devices if each.is_judged and each.level is not DriftLevel.NONE]
    n_judged = sum(each.is_judged for each in watch.devices)
    names = f": {', '.join(each.device.code for each in drifted)}" if drifted else ""
    verb = "has" if len(drifted) == 1 else "have"
    lead = f"{len(drifted)} of {n_judged} devices that can be judged {verb} drifted{names}."
    abstained = share(watch.now.abstained, watch.now)
    rest = (
        ""
        if abstained is None
        else f" The model abstained from {percent(abstained)} of {count(watch.now.n_slabs)} scans."
    )
    return tag("p", tag("b", lead), rest, class_="verdict", role="status")


def drift_table(devices: Sequence[DeviceDrift], filters: Mapping[str, str]) -> Html:
    """One row per device in the given order; its name shows its distributions."""
    heads = [tag("th", name, scope="col", class_=class_ or None, title=hint or None) for name, class_, hint in HEADS]
    rows = [_row(each, filters) for each in devices]
    return tag(
        "div", tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *rows)), class_="scroll", tabindex="0",
        role="region", aria_label="Drift by device",
    )  # fmt: skip


def _row(each: DeviceDrift, filters: Mapping[str, str]) -> Html:
    device = each.device
    query = {**filters, Field.DEVICE.value: device.id}
    name = join(
        [page_link(device.code, "watch", query), tag("span", f"{device.site_code} · {device.model}", class_="name")]
    )
    level = chip(each.level.value, TONES[each.level]) if each.is_judged else chip("too few to judge")
    return tag(
        "tr",
        tag("th", name, scope="row"),
        tag("td", level),
        *_figures(each.scores),
        *_figures(each.index),
        tag("td", _percent(share(device.now.abstained, device.now)), class_="num"),
        tag("td", _percent(share(device.now.strangers, device.now)), class_="num"),
        tag("td", f"{count(device.before.n_slabs)} / {count(device.now.n_slabs)}", class_="num"),
        class_=None if each.is_judged else "unsure",
    )


def _figures(found: Drift | NotComputable) -> tuple[Html, Html]:
    if isinstance(found, NotComputable):
        return tag("td", "–", class_="num", title=found.reason), tag("td", "–", class_="num", title=found.reason)
    chance = found.psi.by_chance
    words = "Below what matters, by each measure" if chance is None else f"By chance up to {chance:.2f}"
    return tag("td", f"{found.psi.value:.2f}", class_="num", title=words), tag(
        "td", with_minus(f"{found.shift:+.2f}"), class_="num"
    )


def _percent(value: float | None) -> str:
    return "–" if value is None else percent(value, 1)
