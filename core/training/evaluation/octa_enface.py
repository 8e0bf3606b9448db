"""The report of the joint OCTA en-face model: grades, severities, zones, masks and strangers from its cases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from core.scoring.card import ReportedMetric
from core.scoring.published import STARTING_POINT, compare, difference_of
from core.training.evaluation.artifacts import mask_figures, severity_figures
from core.training.evaluation.cases import PHANTOM_SET, Case
from core.training.evaluation.figures import Topic
from core.training.evaluation.grades import GradedImages, grade_curves, grade_figures
from core.training.evaluation.pictures import mask_picture, scan_picture
from core.training.evaluation.recognition import recognition_figures
from core.training.evaluation.report import N_WORST, Evaluation, EvaluationReport, Identity, Shown, illustrated
from core.training.evaluation.zones import area_agreements, faz_figures, zone_of

_FIRST = ("FAZ Dice", "grade quadratic kappa", "readers: quadratic kappa", "gradable AUC")


@dataclass(frozen=True, slots=True)
class GradedSet:
    """Predictions of graded images and the protocol that kept them apart, such as out-of-fold ones."""

    name: str
    protocol: str
    images: GradedImages


def evaluation_of(
    identity: Identity,
    cases: Sequence[Case],
    *,
    protocol: str = "held-out",
    protocols: Mapping[str, str] = MappingProxyType({}),
    more_figures: Sequence[ReportedMetric] = (),
) -> Evaluation:
    """The whole evaluation of the cases, with pictures of the worst; parameters as of ``assemble``."""
    report = assemble(identity, cases, protocol=protocol, protocols=protocols, more_figures=more_figures)
    zones = [
        Shown(Topic.FAZ, case.key, _faz_words(case), mask_picture(zone.image, zone.truth, zone.found))
        for case in worst_faz(cases)
        for zone in (zone_of(case),)
    ]
    grades = [
        Shown(Topic.GRADE, case.key, _grade_words(case), scan_picture(case.image))
        for case in worst_grades(cases)
        if case.image is not None
    ]
    return illustrated(report, [*grades, *zones])


def assemble(
    identity: Identity,
    cases: Sequence[Case],
    *,
    protocol: str = "held-out",
    protocols: Mapping[str, str] = MappingProxyType({}),
    more_figures: Sequence[ReportedMetric] = (),
) -> EvaluationReport:
    """Every figure of the cases.

    Parameters
    ----------
    cases : sequence of Case
        Images, phantoms and strangers that what judged them was not fitted or chosen on.
    protocol : str
        How they were kept apart; part of every set's name. ``protocols`` names the sets with one of their own.
    more_figures : sequence of ReportedMetric
        Figures that are not of cases, such as those of the accept rule; they follow those of the grade.
    """
    graded_sets = _graded_sets(cases, protocol, protocols)
    metrics = [metric for item in graded_sets for metric in grade_figures(item.images, item.name, item.protocol)]
    metrics += more_figures
    for item in graded_sets:
        if item.name != PHANTOM_SET:
            metrics += severity_figures([case for case in cases if case.set == item.name], item.name, item.protocol)
    metrics += [*faz_figures(cases, protocol), *mask_figures(cases, protocol), *recognition_figures(cases, protocol)]
    comparisons = tuple(compare(metrics))
    return EvaluationReport(
        **identity.model_dump(),
        parts=_parts(cases),
        metrics=tuple(metrics),
        headline=tuple(_headline(metrics)),
        class_curves=tuple(
            curve for item in graded_sets for curve in grade_curves(item.images, item.name, item.protocol)
        ),
        agreements=tuple(area_agreements(cases, protocol)),
        comparisons=comparisons,
        differences={row.published.task: difference_of(row.published.task) for row in comparisons},
        starting_point=STARTING_POINT,
    )


def worst_faz(cases: Sequence[Case]) -> list[Case]:
    """The real images whose FAZ was found worst, by Dice."""
    drawn = [case for case in cases if case.zone is not None and case.set.startswith("faz_")]
    return sorted(drawn, key=lambda case: zone_of(case).overlap.dice)[:N_WORST]


def worst_grades(cases: Sequence[Case]) -> list[Case]:
    """The real images to whose true grade the model gave the least probability."""
    graded = [case for case in _graded(cases) if case.image is not None]
    return sorted(graded, key=lambda case: float(case.said.probabilities[int(case.grade or 0)]))[:N_WORST]


def _headline(metrics: Sequence[ReportedMetric]) -> list[ReportedMetric]:
    """At most one of each figure per real set, overall ones only."""
    found = []
    for name in _FIRST:
        sets = [metric for metric in metrics if metric.name == name and not metric.set.startswith("phantoms")]
        whole = [metric for metric in sets if metric.set.count(" ") == 1 or name.startswith("FAZ")]
        found += [metric for metric in whole if "graded gradable" not in metric.set]
    return found


def _graded(cases: Sequence[Case]) -> list[Case]:
    """Graded cases; those of FAZ sets have their grade from a copy in the graded set and would count twice."""
    return [case for case in cases if case.grade is not None and not case.set.startswith("faz_")]


def _names(cases: Sequence[Case], *, with_grade: bool) -> list[str]:
    return sorted({case.set for case in (_graded(cases) if with_grade else cases)})


def _graded_sets(cases: Sequence[Case], protocol: str, protocols: Mapping[str, str]) -> list[GradedSet]:
    return [
        GradedSet(
            name,
            protocols.get(name, protocol),
            GradedImages.of_cases([case for case in _graded(cases) if case.set == name]),
        )
        for name in _names(cases, with_grade=True)
    ]


def _parts(cases: Sequence[Case]) -> dict[str, dict[str, int]]:
    found = {}
    for name in _names(cases, with_grade=False):
        groups = [case.group for case in cases if case.set == name]
        found[name] = {"images": len(groups), "groups": len(set(groups))}
    return found


def _faz_words(case: Case) -> str:
    overlap = zone_of(case).overlap
    distance = "not found" if overlap.hausdorff95_px is None else f"HD95 {overlap.hausdorff95_px:.0f} px"
    return f"{case.slab}, Dice {overlap.dice:.2f}, {distance}"


def _grade_words(case: Case) -> str:
    names = ("ungradable", "gradable", "outstanding")
    said = case.said.ordinal
    sure = float(case.said.probabilities[said])
    left = ", left to a person" if case.said.abstained else ""
    return f"{case.source}: readers {names[int(case.grade or 0)]}, model {names[said]} ({sure:.0%} sure{left})"
