"""Registered models and where they are active: markup from frozen values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.store.model_activation import Activation
from core.store.model_version import ModelRow
from core.vocabulary import ModelOrigin, ScanKind
from core.wording import KIND_NAMES
from dashboard.components.markup import Content, Html, chip, count, tag
from dashboard.components.plain_table import plain_table

ORIGIN_NAMES = {
    ModelOrigin.INSTALLATION: "The installation's own",
    ModelOrigin.ADDED: "Added by the operator",
}
EVERY_DEVICE = "Every device"
_SHORT_HASH = 12


@dataclass(frozen=True, slots=True)
class InForce:
    """What scores one lane for one device model; ``activation`` is None where it is the installation's own model."""

    kind: ScanKind
    device_model: str
    model: str
    activation: Activation | None


def in_force(
    lanes: Sequence[ScanKind], activations: Sequence[Activation], own: Mapping[ScanKind, str]
) -> tuple[InForce, ...]:
    """For each lane every device first, then the device models that have an activation of their own."""
    lines: list[InForce] = []
    for kind in lanes:
        held = {each.device_model: each for each in activations if each.is_open and each.kind is kind}
        everywhere = held.pop("", None)
        name = everywhere.model if everywhere else own.get(kind, "")
        lines.append(InForce(kind, "", name, everywhere))
        lines += [InForce(kind, device, each.model, each) for device, each in sorted(held.items())]
    return tuple(lines)


def force_table(lines: Sequence[InForce]) -> Html:
    """Which model scores what, since when, and who signed it."""
    rows = [
        tag(
            "tr",
            tag("th", KIND_NAMES[line.kind], scope="row"),
            tag("td", line.device_model or EVERY_DEVICE),
            tag("td", line.model or "none so far", None if line.activation else _own_words()),
            tag("td", *_signed(line.activation)),
            tag("td", line.activation.reason if line.activation else None),
        )
        for line in lines
    ]
    return plain_table(("Lane", "Devices", "Model", "Signed", "Reason"), rows, "Models in force")


def _own_words() -> Html:
    return tag("span", "the installation's own: nothing is activated", class_="name")


def _signed(activation: Activation | None) -> Sequence[Content]:
    if activation is None:
        return ("–",)
    day = f"{activation.activated_at:%d %b %Y, %H:%M} UTC"
    return activation.activated_by, tag("span", f"{day} · {activation.meaning}", class_="name")


def history_table(ended: Sequence[Activation]) -> Html:
    """Activations that have ended, the newest first."""
    rows = [
        tag(
            "tr",
            tag("th", KIND_NAMES[each.kind], scope="row"),
            tag("td", each.device_model or EVERY_DEVICE),
            tag("td", each.model),
            tag("td", *_signed(each)),
            tag("td", each.ended_by, tag("span", f"{each.ended_at:%d %b %Y, %H:%M} UTC", class_="name")),
            tag("td", each.end_reason),
        )
        for each in ended
    ]
    return plain_table(
        ("Lane", "Devices", "Model", "Signed", "Ended", "Why it ended"), rows, "Activations that have ended"
    )


def registry_table(rows: Sequence[ModelRow]) -> Html:
    """Every registered version of a lane."""
    body = [
        tag(
            "tr",
            tag("th", row.label, scope="row"),
            tag("td", ORIGIN_NAMES[row.origin], tag("span", f"{row.registered_at:%d %b %Y}", class_="name")),
            tag("td", standing_chip(row), tag("span", row.retired_reason, class_="name") if row.retired_at else None),
            tag("td", count(row.n_active), class_="num"),
            tag("td", tag("code", row.weights_sha256[:_SHORT_HASH]), title=row.weights_sha256),
            tag("td", row.preprocessing),
        )
        for row in rows
    ]
    heads = ("Version", "Where from", "Standing", "Activations", "Weights", "Preprocessing")
    return plain_table(heads, body, "Registered models", numbers={3})


def standing_chip(row: ModelRow) -> Html:
    """Whether it can be chosen."""
    if row.retired_at is not None:
        return chip("retired", "bad")
    if not row.is_stored:
        return chip("weights not stored", "warn", title="octaudit model add FILE.safetensors stores them")
    return chip("active", "good") if row.n_active else chip("can be chosen", "info")
