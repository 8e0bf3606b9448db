"""A model card as a page shows it, read from the JSON that a version was stored with, whatever its lane and its age.

A card of an older version may lack parts or hold ones that are read no more; what cannot be read is left out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from core.scoring.card import Calibration, ReportedMetric, TrainingSet, calibration_in
from core.scoring.published import Comparison, compare, compare_bscans, compare_layers, compare_onh

Part = TypeVar("Part", bound=BaseModel)
_COMPARISONS = (compare, compare_onh, compare_bscans, compare_layers)
"""Published figures of OCTA scans, the optic nerve head, B-scans and layers."""


@dataclass(frozen=True, slots=True)
class CardView:
    """What a card says. ``compared`` are published figures of the same tasks that one of its own answers to."""

    intended_use: str
    labels: str
    split: str
    preprocessing: str
    known_failures: tuple[str, ...]
    commands: tuple[str, ...]
    data: tuple[TrainingSet, ...]
    metrics: tuple[ReportedMetric, ...]
    compared: tuple[Comparison, ...]
    network: Mapping[str, Any]
    recipe: Mapping[str, Any]
    calibration: Calibration | None


def view_card(card: Mapping[str, Any]) -> CardView:
    """The card's parts that a page shows."""
    metrics = tuple(_readable(ReportedMetric, card.get("metrics")))
    return CardView(
        intended_use=_text(card, "intended_use"),
        labels=_text(card, "labels"),
        split=_text(card, "split"),
        preprocessing=_text(card, "preprocessing"),
        known_failures=_texts(card, "known_failures"),
        commands=_texts(card, "commands"),
        data=tuple(_readable(TrainingSet, card.get("data"))),
        metrics=metrics,
        compared=tuple(each for tell in _COMPARISONS for each in tell(metrics) if each.ours is not None),
        network=_mapping(card, "network"),
        recipe=_mapping(card, "recipe"),
        calibration=calibration_in(card),
    )


def _readable(part: type[Part], found: object) -> Iterable[Part]:
    for each in found if isinstance(found, list | tuple) else ():
        try:
            yield part.model_validate(each)
        except ValidationError:
            continue


def _text(card: Mapping[str, Any], name: str) -> str:
    found = card.get(name, "")
    return found if isinstance(found, str) else ""


def _texts(card: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = card.get(name, ())
    return tuple(each for each in found if isinstance(each, str)) if isinstance(found, list | tuple) else ()


def _mapping(card: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = card.get(name, {})
    return found if isinstance(found, Mapping) else {}
