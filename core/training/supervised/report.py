"""The report of a COIPS model: its figures with curves, limits of agreement and worst cases."""

from collections.abc import Sequence

from core.scoring.card import ReportedMetric
from core.scoring.coips_card import CoipsCard
from core.scoring.published import Comparison, PublishedFigure
from core.training.evaluation.agreement import Agreement
from core.training.evaluation.cases import Zone
from core.training.evaluation.figures import Topic
from core.training.evaluation.grades import GradedImages, grade_curves
from core.training.evaluation.pictures import mask_picture, scan_picture
from core.training.evaluation.report import (
    N_WORST,
    Evaluation,
    EvaluationReport,
    Shown,
    began_with,
    illustrated,
    judged_words,
    sets_of,
)
from core.training.evaluation.zones import zone_agreements
from core.training.supervised.evaluate import UNSEEN, EvaluatedCoips
from core.training.supervised.judge import FOLDS_WORDS, zone_samples
from core.training.supervised.parts import Placed
from core.training.supervised.picture import read_grey_levels
from core.vocabulary import CoipsGrade

_FIRST = ("grade quadratic kappa", "gradable AUC", "grade F1, macro", "FAZ Dice")
_NOTE = "Read the columns that name a source: a model that recognises the source would score well overall."


def coips_report(evaluated: EvaluatedCoips) -> Evaluation:
    """Everything that `--report` shows of a COIPS model."""
    found, card, judged = evaluated.found, evaluated.card, evaluated.judged
    graded = judged.graded
    report = EvaluationReport(
        model=card.recipe_name,
        version=card.version,
        weights_sha256=card.weights_sha256,
        split=judged_words(card.split, found.n_images, found.n_left_out, note=found.note),
        labels=card.labels,
        parts=sets_of(found.metrics),
        metrics=found.metrics,
        headline=tuple(metric for metric in found.metrics if metric.name in _FIRST and _is_whole(metric)),
        notes={Topic.GRADE: _NOTE},
        class_curves=() if graded is None else tuple(grade_curves(graded, card.recipe_name, UNSEEN)),
        agreements=tuple(_agreements(evaluated)),
        comparisons=tuple(_beside(figure, found.metrics) for figure in found.published),
        differences={figure.task: found.difference for figure in found.published},
        starting_point=_start_words(card),
    )
    shown = _worst_zones(evaluated) if graded is None else _worst_grades(graded, judged.placed)
    return illustrated(report, shown)


def _is_whole(metric: ReportedMetric) -> bool:
    """Of no single source; every slab and field of the FAZ."""
    return metric.topic == Topic.FAZ or metric.set == f"coips-quality, {UNSEEN}"


def _beside(figure: PublishedFigure, metrics: Sequence[ReportedMetric]) -> Comparison:
    """Ours of the same name: of all grades, or of the zone in the same slab."""
    slab = figure.task.removeprefix("FAZ ") if figure.task.startswith("FAZ ") else None
    start = f"coips-quality, {UNSEEN}" if slab is None else f"coips-faz {slab} "
    ours = (metric for metric in metrics if metric.name == figure.our_figure and metric.set.startswith(start))
    return Comparison(published=figure, ours=next(ours, None))


def _start_words(card: CoipsCard) -> str:
    published = "The published backbones began with ImageNet weights; " if card.recipe_name == "coips-quality" else ""
    return f"{published}{'these' if published else 'These'} weights began {began_with(card.init_sha256)}."


def _agreements(evaluated: EvaluatedCoips) -> list[Agreement]:
    judged = evaluated.judged
    return [
        found
        for choice, zones in judged.zones.items()
        for index, sample in zone_samples(judged.placed, f"{UNSEEN}, {FOLDS_WORDS[choice]}")
        for found in zone_agreements([zones[place] for place in index], sample)
    ]


def _worst_zones(evaluated: EvaluatedCoips) -> list[Shown]:
    """The zones of the lowest Dice, by the first choice of folds that was asked for."""
    judged = evaluated.judged
    choice, zones = next(iter(judged.zones.items()))
    ordered = sorted(range(len(zones)), key=lambda place: zones[place].overlap.dice)[:N_WORST]
    return [
        Shown(
            Topic.FAZ,
            judged.placed[place].picture.record.file,
            f"{judged.placed[place].picture.record.slab.value}, {_zone_words(zones[place])}, {FOLDS_WORDS[choice]}",
            mask_picture(zones[place].image, zones[place].truth, zones[place].found),
        )
        for place in ordered
    ]


def _zone_words(zone: Zone) -> str:
    hd95 = zone.overlap.hausdorff95_px
    return f"Dice {zone.overlap.dice:.2f}, {'not found' if hd95 is None else f'HD95 {hd95:.0f} px'}"


def _worst_grades(graded: GradedImages, placed: Sequence[Placed]) -> list[Shown]:
    """The images to whose true grade the model gave the least probability."""
    given = graded.probabilities[range(len(graded.truth)), graded.truth]
    shown = []
    for place in given.argsort(kind="stable")[:N_WORST]:
        record, said = placed[place].picture.record, CoipsGrade(int(graded.predicted[place]))
        truth = CoipsGrade(int(graded.truth[place]))
        words = (
            f"{record.source or 'no source named'}: labelled {truth.name.lower()}, model {said.name.lower()} "
            f"({graded.probabilities[place, said]:.0%} sure)"
        )
        shown.append(Shown(Topic.GRADE, record.file, words, scan_picture(read_grey_levels(record.path))))
    return shown
