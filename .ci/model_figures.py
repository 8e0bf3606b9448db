"""What the documentation says of the bundled models, from their cards: no figure is typed by hand."""

from collections.abc import Sequence
from pathlib import Path

from core.scoring.card import LaneCard, ModelCard, ReportedMetric
from core.scoring.published import (
    STARTING_POINT,
    Comparison,
    compare,
    compare_bscans,
    difference_of,
    published_figures,
)
from core.scoring.published_bscan import DIFFERENCE as BSCAN_DIFFERENCE
from core.scoring.registry import card_of
from core.training.evaluation.figures import Topic, by_set, interval_text
from core.vocabulary import OCTA_ARTIFACTS, ScanKind

WEIGHTS = Path(__file__).resolve().parent.parent / "core" / "weights"

FIRST_FIGURES = (
    ("FAZ, superficial slab, 3 mm: Dice", "FAZ Dice", "faz_coips superficial 3 mm,"),
    ("FAZ, deep slab: Dice", "FAZ Dice", "faz_coips deep field unknown,"),
    ("Grade against the readers' consensus: quadratic-weighted kappa", "grade quadratic kappa", "octa_graded,"),
    ("The two readers between themselves: the same kappa", "readers: quadratic kappa", "octa_graded,"),
    ("Gradable or not: area under the ROC curve", "gradable AUC", "octa_graded,"),
    ("The same within ROSSA", "gradable AUC", "octa_graded ROSSA,"),
    ("The same within COIPS", "gradable AUC", "octa_graded FAZ,"),
    *(
        (
            f"Severity of {kind.value.replace('_', ' ')} against the consensus: kappa",
            f"{kind.value}: severity kappa",
            place,
        )
        for kind, place in ((kind, "octa_graded,") for kind in OCTA_ARTIFACTS)
    ),
    ("Left to a person at the default level: share", "abstained share", "graded scans,"),
    ("Accepted without a person though ungradable, of all scans", "accepted and ungradable", "graded scans,"),
    *(
        (f"Mask of severe {kind.value.replace('_', ' ')} on phantoms: Dice", f"{kind.value} Dice", place)
        for kind, place in ((kind, f"phantoms, {kind.value} severe,") for kind in OCTA_ARTIFACTS)
    ),
)


def bundled_card() -> ModelCard:
    """The card of the OCTA lane's bundled weights."""
    return ModelCard.beside(WEIGHTS / "octa-enface.safetensors")


def first_figures(card: ModelCard) -> str:
    """The README's table: what a reader asks first."""
    measured = "measured on held-out images; grade and severity by folds that never saw their labels"
    rows = [f"| {measured} | value (95 % interval) | images |", "|---|---|---|"]
    for words, name, prefix in FIRST_FIGURES:
        metric = _widest(card.metrics, name, prefix)
        rows.append(f"| {words} | {interval_text(metric)} | {metric.n_images} |")
    return "\n".join(rows)


def model_page(card: ModelCard) -> str:
    """Every lane's model: figures, data, limits; published figures of the same tasks beside them."""
    published = ["### Published figures of the same tasks", STARTING_POINT, _published(card)]
    return "\n\n".join([*_card_parts(card), *published, *(part for other in other_cards() for part in _other(other))])


def other_cards() -> list[LaneCard]:
    """The cards of the other lanes' bundled weights."""
    kinds = [kind for kind in ScanKind if kind is not ScanKind.OCTA_ENFACE]
    paths = [(kind, WEIGHTS / f"{kind.value}.safetensors") for kind in kinds]
    return [card_of(kind, path) for kind, path in paths if path.is_file()]


def _other(card: LaneCard) -> list[str]:
    """A lane's card, with the published figures of its tasks where there are any."""
    if card.kind is ScanKind.BSCAN:
        return [*_card_parts(card), "### Published", BSCAN_DIFFERENCE, _beside_bscans(card)]
    prefix = _TASKS.get(card.kind)
    figures = [figure for figure in published_figures() if prefix and figure.task.startswith(prefix)]
    if not figures:
        return _card_parts(card)
    rows = ["| task | system | figure | published |", "|---|---|---|---|"]
    rows += [f"| {one.task} | {one.system} | {one.figure} | {one.published:.4f} |" for one in figures]
    source = f"{figures[0].paper}, {figures[0].place}. {difference_of(figures[0].task)}"
    return [*_card_parts(card), "### Published", source, "\n".join(rows)]


def _beside_bscans(card: LaneCard) -> str:
    """Paper 003's figures of all classes together, its systems in one row, ours beside them."""
    rows = ["| figure | ours | on | published, data set I |", "|---|---|---|---|"]
    found: dict[tuple[str, str], list[Comparison]] = {}
    for one in compare_bscans(card.metrics):
        if ":" not in one.published.figure:
            found.setdefault((one.published.task, one.published.figure), []).append(one)
    for (task, figure), group in found.items():
        ours = group[0].ours
        systems = ", ".join(f"{one.published.system} {one.published.published:.3f}" for one in group)
        mine = ("-", "-") if ours is None else (interval_text(ours), ours.set)
        rows.append(f"| {task}: {figure} | {mine[0]} | {mine[1]} | {systems} |")
    return "\n".join(rows)


_TASKS = {ScanKind.ONH_ENFACE: "ONH"}
"""How the tasks of a lane begin in ``published.csv``."""


def _card_parts(card: LaneCard) -> list[str]:
    parts = [
        f"## {card.name} {card.version}",
        f"{card.intended_use}\n\n{card.labels}\n\n{card.split}",
        "\n".join(f"- {failure}" for failure in card.known_failures),
        _training_sets(card),
    ]
    for topic in Topic:
        metrics = [metric for metric in card.metrics if metric.topic == topic.value]
        if metrics:
            parts += [f"### {topic.value}", _figures(metrics)]
    return parts


def _widest(metrics: Sequence[ReportedMetric], name: str, prefix: str) -> ReportedMetric:
    """The figure on most images: cross-validated ones where there are any."""
    found = [metric for metric in metrics if metric.name == name and metric.set.startswith(prefix)]
    if not found:
        raise SystemExit(f"The bundled card has no figure {name!r} of {prefix!r}: train or evaluate anew.")
    return max(found, key=lambda metric: metric.n_images)


def _training_sets(card: LaneCard) -> str:
    rows = [
        f"| {part.name} | {part.n_train} | {part.n_tune} | {part.n_held_out} | {part.licence} | {part.source} |"
        for part in card.data
    ]
    head = "| set | trained on | tuned on | held out | licence | source |\n|---|---|---|---|---|---|"
    return "\n".join([head, *rows])


def _figures(metrics: Sequence[ReportedMetric]) -> str:
    rows = ["| set | figure | value (95 % interval) | images | groups |", "|---|---|---|---|---|"]
    for found in by_set(metrics):
        for position, metric in enumerate(found.figures):
            # Groupings of grades are written with bars, which would end a cell.
            name = found.label.replace("|", "\\|") if position == 0 else ""
            rows.append(
                f"| {name} | {metric.name} | {interval_text(metric)} | {metric.n_images} | {metric.n_subjects} |"
            )
    return "\n".join(rows)


def _published(card: ModelCard) -> str:
    comparisons = compare(card.metrics)
    tasks = list(dict.fromkeys(row.published.task for row in comparisons))
    parts = []
    for task in tasks:
        rows = ["| system | figure | published | this model | measured on |", "|---|---|---|---|---|"]
        for row in comparisons:
            if row.published.task == task:
                ours = ("not measured", "") if row.ours is None else (interval_text(row.ours), row.ours.set)
                figure = row.published
                rows.append(f"| {figure.system} | {figure.figure} | {figure.published:.2f} | {ours[0]} | {ours[1]} |")
        place = next(row.published for row in comparisons if row.published.task == task)
        parts.append(f"**{task}** ({place.paper}, {place.place}, {place.data_set}). {difference_of(task)}")
        parts.append("\n".join(rows))
    return "\n\n".join(parts)
