"""Figures of the artifacts: severity against the readers' consensus, and masks against phantoms' known truth."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.scoring.card import ReportedMetric
from core.statistics.agreement import quadratic_kappa
from core.statistics.classification import area_under_roc
from core.training.evaluation.cases import PHANTOM_SET, Case
from core.training.evaluation.figures import Sample, Topic
from core.vocabulary import OCTA_ARTIFACTS, ArtifactType, Severity

Ratings = NDArray[np.int64]
N_SEVERITIES = len(Severity)


@dataclass(frozen=True, slots=True)
class RatedArtifact:
    """One artifact over a set of images: severities 0 none, 1 mild, 2 severe (n,), and the share of the image masked.

    ``reader_a`` and ``reader_b`` are None where the two readings are not there.
    """

    truth: Ratings
    found: Ratings
    area_fraction: NDArray[np.float64]
    reader_a: Ratings | None = None
    reader_b: Ratings | None = None


def severity_figures(cases: Sequence[Case], name: str, protocol: str) -> list[ReportedMetric]:
    """Agreement on every artifact's severity, overall and within each source, the readers' own beside it."""
    judged = [case for case in cases if case.severities is not None]
    found = []
    for label, members in _overall_and_within_source(judged, name, protocol):
        sample = Sample(Topic.ARTIFACT_SEVERITY, label, tuple(case.group for case in members))
        for kind in OCTA_ARTIFACTS:
            found += rated_figures(rated_artifact(members, kind), kind, sample)
    return found


def rated_artifact(cases: Sequence[Case], kind: ArtifactType) -> RatedArtifact:
    """The ratings of one artifact by consensus, model and readers."""
    readings = [case.readings for case in cases if case.readings is not None]
    is_read_twice = 0 < len(readings) == len(cases)
    return RatedArtifact(
        truth=np.array([(case.severities or {})[kind] for case in cases], np.int64),
        found=np.array([case.said.severities[kind] for case in cases], np.int64),
        area_fraction=np.array([case.said.area_fractions[kind] for case in cases], np.float64),
        reader_a=np.array([first.severities[kind] for first, _ in readings], np.int64) if is_read_twice else None,
        reader_b=np.array([second.severities[kind] for _, second in readings], np.int64) if is_read_twice else None,
    )


def rated_figures(rated: RatedArtifact, kind: ArtifactType, sample: Sample) -> list[ReportedMetric]:
    """Kappa with the consensus and of the readers, and how well the masked share ranks the images."""
    first, second = rated.reader_a, rated.reader_b

    def statistic(index: NDArray[np.intp]) -> dict[str, float | None]:
        truth, area = rated.truth[index], rated.area_fraction[index]
        figures = {
            f"{kind.value}: severity kappa": quadratic_kappa(rated.found[index], truth, N_SEVERITIES),
            f"{kind.value}: present AUC": area_under_roc(area, truth > 0),
            f"{kind.value}: severe AUC": area_under_roc(area, truth > 1),
        }
        if first is not None and second is not None:
            readers = quadratic_kappa(first[index], second[index], N_SEVERITIES)
            figures[f"{kind.value}: readers' severity kappa"] = readers
        return figures

    return sample.figures(statistic)


def mask_figures(cases: Sequence[Case], protocol: str) -> list[ReportedMetric]:
    """Overlap of the masks on phantoms per artifact type and strength, and what is marked where there is nothing."""
    found = []
    for kind in OCTA_ARTIFACTS:
        for strength, severity in enumerate(Severity):
            members = [
                case
                for case in cases
                if case.set == PHANTOM_SET and case.severities is not None and case.severities[kind] == strength
            ]
            label = f"{PHANTOM_SET}, {kind.value} {severity.value}, {protocol}"
            sample = Sample(Topic.ARTIFACT_MASKS, label, tuple(case.group for case in members))
            found += sample.means(_marked(members, kind) if severity is Severity.NONE else _overlap(members, kind))
    return found


def _marked(members: Sequence[Case], kind: ArtifactType) -> dict[str, list[float]]:
    """Where the artifact is absent any overlap is trivial: what counts is how much is marked all the same."""
    return {f"{kind.value}: share marked in error": [case.said.area_fractions[kind] for case in members]}


def _overlap(members: Sequence[Case], kind: ArtifactType) -> dict[str, list[float]]:
    overlaps = [case.artifact_overlaps[kind] for case in members]
    return {
        f"{kind.value} Dice": [overlap.dice for overlap in overlaps],
        f"{kind.value} Jaccard": [overlap.jaccard for overlap in overlaps],
        f"{kind.value} precision": [overlap.precision or 0.0 for overlap in overlaps],
        f"{kind.value} recall": [overlap.recall or 0.0 for overlap in overlaps],
    }


def _overall_and_within_source(cases: Sequence[Case], name: str, protocol: str) -> Iterator[tuple[str, list[Case]]]:
    yield f"{name}, {protocol}", list(cases)
    sources = sorted({case.source for case in cases})
    if len(sources) > 1:
        for source in sources:
            yield f"{name} {source}, {protocol}", [case for case in cases if case.source == source]
