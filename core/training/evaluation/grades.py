"""Figures and curves of the grade from plain arrays: held-out and out-of-fold predictions go through the same code."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.scoring.card import ReportedMetric
from core.statistics.agreement import exact_agreement, quadratic_kappa
from core.statistics.classification import area_under_roc
from core.training.evaluation.cases import Case
from core.training.evaluation.classes import ClassCurves, class_curves, class_statistics
from core.training.evaluation.figures import MIN_IMAGES, Sample, Topic
from core.vocabulary import CoipsGrade

LABELS = tuple(grade.name.lower() for grade in CoipsGrade)
N_GRADES = len(LABELS)

Grades = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class GradedImages:
    """Truth and calibrated probabilities of images that the model was not fitted on.

    Attributes
    ----------
    truth : int (n,)
        The consensus, as ordinals of CoipsGrade.
    probabilities : float (n, 3)
    groups, sources : n names each
        Group of images that are not independent; data set or device the image came from.
    reader_a, reader_b : int (n,) or None
        The two readers' own grades.
    abstained : bool (n,) or None
        Where the model left the grade to a person; None where no such decision was taken.
    decided : int (n,) or None
        The model's grade, where it is not simply the likeliest one.
    """

    truth: Grades
    probabilities: NDArray[np.float64]
    groups: tuple[str, ...]
    sources: tuple[str, ...]
    reader_a: Grades | None = None
    reader_b: Grades | None = None
    abstained: NDArray[np.bool_] | None = None
    decided: Grades | None = None

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together."""
        lengths = {len(self.truth), len(self.groups), len(self.sources), len(self.probabilities)}
        lengths |= {
            len(part) for part in (self.reader_a, self.reader_b, self.abstained, self.decided) if part is not None
        }
        if len(lengths) != 1 or self.probabilities.shape[1:] != (N_GRADES,):
            raise ValueError(f"need arrays of one length and probabilities (n, {N_GRADES}); lengths are {lengths}")

    @property
    def predicted(self) -> Grades:
        """The model's grade of each image."""
        return np.asarray(self.probabilities.argmax(axis=1), np.int64) if self.decided is None else self.decided

    def only(self, index: NDArray[np.intp]) -> "GradedImages":
        """The images at these places."""
        optional = {name: getattr(self, name) for name in ("reader_a", "reader_b", "abstained", "decided")}
        return GradedImages(
            truth=self.truth[index],
            probabilities=self.probabilities[index],
            groups=tuple(self.groups[place] for place in index),
            sources=tuple(self.sources[place] for place in index),
            **{name: None if part is None else part[index] for name, part in optional.items()},
        )

    @classmethod
    def of_cases(cls, cases: Sequence[Case]) -> "GradedImages":
        """The graded ones among the cases."""
        graded = [(case, case.grade) for case in cases if case.grade is not None]
        readings = [case.readings for case, _ in graded if case.readings is not None]
        is_read_twice = 0 < len(readings) == len(graded)
        abstained = np.array([case.said.abstained for case, _ in graded], bool)
        return cls(
            truth=np.array([int(grade) for _, grade in graded], np.int64),
            probabilities=np.array([case.said.probabilities for case, _ in graded]).reshape(-1, N_GRADES),
            groups=tuple(case.group for case, _ in graded),
            sources=tuple(case.source for case, _ in graded),
            reader_a=np.array([int(first.grade) for first, _ in readings], np.int64) if is_read_twice else None,
            reader_b=np.array([int(second.grade) for _, second in readings], np.int64) if is_read_twice else None,
            # A model with calibration scans abstains at the study's level, which no scorer knows.
            abstained=abstained if abstained.any() else None,
            decided=np.array([case.said.ordinal for case, _ in graded], np.int64),
        )


def grade_figures(graded: GradedImages, name: str, protocol: str) -> list[ReportedMetric]:
    """Every figure of the grade, overall and within each source: grade and source go together in public sets."""
    return [
        metric for label, part in _overall_and_within_source(graded, name, protocol) for metric in _of_set(part, label)
    ]


def grade_curves(graded: GradedImages, name: str, protocol: str) -> list[ClassCurves]:
    """Confusion, ROC and reliability, overall and within each source of enough images."""
    return [
        _curves(part, label)
        for label, part in _overall_and_within_source(graded, name, protocol)
        if len(part.truth) >= MIN_IMAGES
    ]


def _overall_and_within_source(graded: GradedImages, name: str, protocol: str) -> Iterator[tuple[str, GradedImages]]:
    yield f"{name}, {protocol}", graded
    sources = sorted(set(graded.sources))
    if len(sources) > 1:
        of = np.array(graded.sources)
        for source in sources:
            yield f"{name} {source}, {protocol}", graded.only(np.flatnonzero(of == source))


def _of_set(graded: GradedImages, label: str) -> list[ReportedMetric]:
    sample = Sample(Topic.GRADE, label, graded.groups)
    is_right = graded.predicted == graded.truth
    figures = sample.figures(lambda index: _figures(graded, index))
    shares = sample.share("grade accuracy", is_right)
    return [*shares, *figures, *_readers(graded, sample), *_abstention(graded, label, is_right)]


def _figures(graded: GradedImages, index: NDArray[np.intp]) -> dict[str, float | None]:
    truth, probabilities, predicted = graded.truth[index], graded.probabilities[index], graded.predicted[index]
    return {
        "grade quadratic kappa": quadratic_kappa(predicted, truth, N_GRADES),
        "gradable AUC": area_under_roc(1 - probabilities[:, CoipsGrade.UNGRADABLE], truth > CoipsGrade.UNGRADABLE),
        **class_statistics(truth, probabilities, predicted, LABELS, "grade"),
    }


def _readers(graded: GradedImages, sample: Sample) -> list[ReportedMetric]:
    """The readers' own agreement on the same images, and the model's with each: what a kappa is to be held against."""
    first, second, predicted = graded.reader_a, graded.reader_b, graded.predicted
    if first is None or second is None:
        return []
    return sample.figures(
        lambda index: {
            "readers: quadratic kappa": quadratic_kappa(first[index], second[index], N_GRADES),
            "readers: exact agreement": exact_agreement(first[index], second[index]),
            "model and reader a: quadratic kappa": quadratic_kappa(predicted[index], first[index], N_GRADES),
            "model and reader b: quadratic kappa": quadratic_kappa(predicted[index], second[index], N_GRADES),
        }
    )


def _abstention(graded: GradedImages, label: str, is_right: NDArray[np.bool_]) -> list[ReportedMetric]:
    if graded.abstained is None:
        return []
    kept = np.flatnonzero(~graded.abstained)
    decided = Sample(Topic.GRADE, label, tuple(graded.groups[place] for place in kept))
    return [
        *Sample(Topic.GRADE, label, graded.groups).share("abstained share", graded.abstained),
        *decided.share("grade accuracy where not abstained", is_right[kept]),
    ]


def _curves(graded: GradedImages, label: str) -> ClassCurves:
    first, second = graded.reader_a, graded.reader_b
    return class_curves(
        graded.truth,
        graded.probabilities,
        graded.predicted,
        LABELS,
        name=label,
        readers=None if first is None or second is None else (first, second),
    )
