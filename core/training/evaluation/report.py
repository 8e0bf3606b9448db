"""The evaluation of one model as one value: figures, curves, comparison, and which cases went worst. Becomes JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict

from core.scoring.card import ReportedMetric
from core.scoring.published import Comparison, compare
from core.training.evaluation.artifacts import mask_figures, severity_figures
from core.training.evaluation.cases import PHANTOM_SET, Case
from core.training.evaluation.grades import GradeCurves, GradedImages, grade_curves, grade_figures
from core.training.evaluation.recognition import recognition_figures
from core.training.evaluation.zones import AreaAgreement, area_agreements, faz_figures, zone_of

N_WORST = 8

INTERVALS = (
    "95 % intervals. Means, kappas and areas under a curve: bootstrap over groups of images that belong together "
    "(one subject, near duplicates), expanded percentiles. Shares: exact where every image is a group of its own. "
    "“No spread” says that every resample gave the same value: too few images to tell."
)


class Identity(BaseModel):
    """Which weights were evaluated, and under which split."""

    model_config = ConfigDict(frozen=True)

    model: str
    version: str
    weights_sha256: str
    split_seed: int
    split: str
    labels: str


class WorstCase(BaseModel):
    """A case that went wrong, by key, with what was measured."""

    model_config = ConfigDict(frozen=True)

    key: str
    what: str


class EvaluationReport(BaseModel):
    """What `octaudit evaluate` writes as JSON."""

    model_config = ConfigDict(frozen=True)

    model: str
    version: str
    weights_sha256: str
    split_seed: int
    split: str
    labels: str
    intervals: str = INTERVALS
    parts: dict[str, dict[str, int]]
    """Images and groups per set that was measured on."""
    metrics: tuple[ReportedMetric, ...]
    grade_curves: tuple[GradeCurves, ...]
    area_agreements: tuple[AreaAgreement, ...]
    comparisons: tuple[Comparison, ...]
    worst_faz: tuple[WorstCase, ...]
    worst_grades: tuple[WorstCase, ...]

    def of_topic(self, topic: str) -> list[ReportedMetric]:
        """The figures of one part of the report."""
        return [metric for metric in self.metrics if metric.topic == topic]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures of a model, and the cases they are of: what a page with pictures is made from."""

    report: EvaluationReport
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class GradedSet:
    """Predictions of graded images and the protocol that kept them apart, such as out-of-fold ones."""

    name: str
    protocol: str
    images: GradedImages


def assemble(
    identity: Identity,
    cases: Sequence[Case],
    *,
    protocol: str = "held-out",
    protocols: Mapping[str, str] = MappingProxyType({}),
    more_figures: Sequence[ReportedMetric] = (),
) -> EvaluationReport:
    """The whole evaluation of the cases.

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
    return EvaluationReport(
        **identity.model_dump(),
        parts=_parts(cases),
        metrics=tuple(metrics),
        grade_curves=tuple(
            curve for item in graded_sets for curve in grade_curves(item.images, item.name, item.protocol)
        ),
        area_agreements=tuple(area_agreements(cases, protocol)),
        comparisons=tuple(compare(metrics)),
        worst_faz=tuple(WorstCase(key=case.key, what=_faz_words(case)) for case in worst_faz(cases)),
        worst_grades=tuple(WorstCase(key=case.key, what=_grade_words(case)) for case in worst_grades(cases)),
    )


def worst_faz(cases: Sequence[Case]) -> list[Case]:
    """The real images whose FAZ was found worst, by Dice."""
    drawn = [case for case in cases if case.zone is not None and case.set.startswith("faz_")]
    return sorted(drawn, key=lambda case: zone_of(case).overlap.dice)[:N_WORST]


def worst_grades(cases: Sequence[Case]) -> list[Case]:
    """The real images to whose true grade the model gave the least probability."""
    graded = [case for case in _graded(cases) if case.image is not None]
    return sorted(graded, key=lambda case: float(case.said.probabilities[int(case.grade or 0)]))[:N_WORST]


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
