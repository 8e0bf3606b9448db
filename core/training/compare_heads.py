"""Which heads decide best on the scan statistics: the joint network's choice beside others, by the same folds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from core.policy.protocol import Protocol
from core.scoring.acceptance import accept_evidence
from core.scoring.card import ModelCard
from core.scoring.lanes.scan_heads import ordinal_of_shares, severity_of_shares
from core.scoring.registry import weights_path
from core.scoring.torch_backend.device import choose_device, limit_threads
from core.scoring.torch_backend.octa_enface import OctaEnfaceScorer, load_network
from core.statistics.agreement import quadratic_kappa
from core.statistics.classification import area_under_roc
from core.training.balance import UNKNOWN, balanced_weights
from core.training.calibration_set import calibration_set
from core.training.folder import Reading, read_folder
from core.training.graded import graded_images, groups_and_strata, head_data, phantom_head_data
from core.training.kernel_machine import fit_machine
from core.training.samples import ARTIFACTS
from core.training.scan_heads import (
    FEATURE_SHARE,
    MIDDLE_CUTS,
    MIN_LEAF,
    N_TREES,
    HeadData,
    OutOfFold,
    cross_validate,
    fit_grade_scaling,
    folds_of,
)
from core.training.splits import split
from core.vocabulary import OCTA_ARTIFACTS, ScanKind, Severity

_ORDER = tuple(Severity)
_Figures = dict[str, float | None]
_Draw = Callable[[int], _Figures]
SEEDS = (0, 1, 2)
"""Of the folds: one cross-validation is one draw."""


def _trees() -> Any:
    return ExtraTreesClassifier(
        N_TREES, min_samples_leaf=MIN_LEAF, max_features=FEATURE_SHARE, class_weight="balanced", random_state=0
    )


def _logistic(inverse_ridge: float) -> Callable[[], Any]:
    return lambda: make_pipeline(
        StandardScaler(), LogisticRegression(C=inverse_ridge, max_iter=3000, class_weight="balanced")
    )


def _support_vectors() -> Any:
    machine = SVC(C=3.0, gamma=0.003, class_weight="balanced", probability=True, random_state=0)
    return make_pipeline(StandardScaler(), machine)


KEPT = "version 2.4: trees and kernel machine, also on the picture's own numbers; phantoms too"
KEPT_BY_SHARE = "the same, ungradable told by its own share, not by the mean grade"
KEPT_ALONE = "trees and kernel machine, also on the picture's own numbers; no phantoms"
MACHINE = "kernel machine alone, also on the picture's own numbers"
MACHINE_ON_PICTURE = "kernel machine alone, on the picture's own numbers alone"
TREES = "version 2.2: trees for the grade, ordinal trees with fitted cuts for severities; phantoms too"
TREES_ALONE = "the same without phantoms"
READERS = "one reader against the other, for comparison"
CLASSES_WITH_PHANTOMS = "classification trees; phantoms too"
CLASSES = "classification trees"
CANDIDATES: dict[str, Callable[[], Any]] = {
    CLASSES: _trees,
    "ridge logistic regression, C 0.01": _logistic(0.01),
    "ridge logistic regression, C 0.1": _logistic(0.1),
    "support vectors, radial": _support_vectors,
}


@dataclass(frozen=True, slots=True)
class _Scans:
    """The graded scans, what keeps their folds strict, and the phantoms that may be added to every fit."""

    graded: HeadData
    groups: Sequence[str]
    strata: Sequence[str]
    sources: NDArray[np.str_]
    phantoms: HeadData

    def of_maps(self) -> "_Scans":
        """The same with the statistics of version 2.2 alone, without the picture's own numbers."""
        return replace(self, graded=self.graded.of_maps(), phantoms=self.phantoms.of_maps())


def compare_heads(
    data: Path, *, model: str, recipe_seed: int, split_seed: int, device: str = "auto"
) -> list[dict[str, Any]]:
    """Per candidate the mean over SEEDS of out-of-fold figures: grade kappa, gradable AUC, severity kappas.

    "Abstained" is the share of scans left to a person at the default level, each by the others' threshold.
    The folds of a seed are the same for all candidates and keep near duplicates together; nothing is tuned on what is
    left out. Phantoms, where it says so, have the weight that they have in the shipped heads.
    """
    weights = weights_path(ScanKind.OCTA_ENFACE, model)
    card = ModelCard.beside(weights)
    limit_threads()
    chosen = choose_device(device)
    scorer = OctaEnfaceScorer(load_network(weights, card, chosen), card, chosen)
    graded = graded_images(split(read_folder(data), seed=split_seed))
    sources = np.array([item.image.source for item in graded])
    phantoms = phantom_head_data(scorer, seed=recipe_seed)
    scans = _Scans(head_data(scorer, graded), *groups_and_strata(graded), sources, phantoms)
    rows = [{"heads": name} | _mean([draw(seed) for seed in SEEDS]) for name, draw in _draws(scans).items()]
    read = [item.image.readings for item in graded]
    return rows if None in read else [*rows, reader_figures([both for both in read if both is not None], sources)]


def reader_figures(readings: Sequence[tuple[Reading, Reading]], sources: NDArray[np.str_]) -> dict[str, Any]:
    """The same figures of either reader's judgements taken for the other's: what labels like these let anyone reach.

    An area under the curve is the mean of both directions; a reader's grade has three steps, a model's share has many.
    """
    grades = np.array([[int(reading.grade) for reading in both] for both in readings], np.int64)
    severities = np.array([[[one.severities[kind] for kind in ARTIFACTS] for one in both] for both in readings])

    def auc(source: str | None) -> float | None:
        chosen = grades if source is None else grades[sources == source]
        ways = [area_under_roc(chosen[:, way].astype(np.float64), chosen[:, 1 - way] > 0) for way in (0, 1)]
        return None if None in ways else float(np.mean([way for way in ways if way is not None]))

    found = {"grade kappa": quadratic_kappa(grades[:, 0], grades[:, 1]), "gradable AUC": auc(None)}
    found |= {"within ROSSA": auc("ROSSA"), "within COIPS": auc("FAZ")}
    for number, kind in enumerate(OCTA_ARTIFACTS):
        found[f"{kind.value} kappa"] = quadratic_kappa(severities[:, 0, number], severities[:, 1, number])
    return {"heads": READERS} | _mean([found])


def _draws(scans: _Scans) -> dict[str, _Draw]:
    """What makes one draw of each candidate's figures from a seed of the folds."""
    maps = scans.of_maps()
    n_maps = maps.graded.statistics.shape[1]

    @cache
    def kept(seed: int) -> OutOfFold:
        return _judged(scans, scans.phantoms, seed=seed)

    return {
        KEPT: lambda seed: _figures_of(kept(seed).grade, kept(seed).severities, scans),
        KEPT_BY_SHARE: lambda seed: _figures_of(kept(seed).grade, kept(seed).severities, scans, by_mean_grade=False),
        KEPT_ALONE: lambda seed: _kept_figures(scans, None, seed=seed),
        MACHINE: lambda seed: _machine_figures(scans, 0, seed=seed),
        MACHINE_ON_PICTURE: lambda seed: _machine_figures(scans, n_maps, seed=seed),
        TREES: lambda seed: _trees_figures(scans, scans.phantoms, seed=seed),
        TREES_ALONE: lambda seed: _trees_figures(scans, None, seed=seed),
        CLASSES_WITH_PHANTOMS: lambda seed: _figures(_trees, maps, maps.phantoms, seed=seed),
        **{name: partial(_candidate_figures, make, maps) for name, make in CANDIDATES.items()},
    }


def heads_table(record: Sequence[dict[str, Any]]) -> str:
    """The record as a table of the documentation; a dash where a row has no such figure."""
    names = [name for name in record[0] if name != "heads"]
    lines = [f"| heads | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    for row in record:
        shown = (f"{row[name]:.3f}" if name in row else "–" for name in names)
        lines.append(f"| {row['heads']} | {' | '.join(shown)} |")
    return "\n".join(lines)


def _mean(draws: Sequence[_Figures]) -> dict[str, float]:
    means = {name: np.mean([np.nan if draw[name] is None else draw[name] for draw in draws]) for name in draws[0]}
    return {name: round(float(mean), 4) for name, mean in means.items()}


def _judged(scans: _Scans, extra: HeadData | None, *, seed: int, with_machine: bool = True) -> OutOfFold:
    return cross_validate(scans.graded, scans.groups, scans.strata, extra=extra, seed=seed, with_machine=with_machine)


def _kept_figures(scans: _Scans, extra: HeadData | None, *, seed: int) -> _Figures:
    found = _judged(scans, extra, seed=seed)
    return _figures_of(found.grade, found.severities, scans)


def _trees_figures(scans: _Scans, extra: HeadData | None, *, seed: int) -> _Figures:
    found = _judged(scans, extra, seed=seed, with_machine=False)
    return _figures_of(found.grade, found.severities, scans, by_mean_grade=False)


def _machine_figures(scans: _Scans, first: int, *, seed: int) -> _Figures:
    """The kernel machine alone, on the statistics from ``first`` on, with middle cuts; no phantoms."""
    known = scans.graded
    statistics = known.statistics[:, first:]
    judged = np.column_stack([known.grade, known.severities]).astype(np.int64)
    shares = np.zeros((*judged.shape, 3))
    for fitted, left_out in folds_of(known, scans.groups, scans.strata, seed=seed):
        machine, _ = fit_machine(statistics[fitted], judged[fitted], known.weight[fitted])
        shares[left_out] = [machine.shares(row) for row in statistics[left_out]]
    severities = [[_ORDER.index(severity_of_shares(of_kind, MIDDLE_CUTS)) for of_kind in row] for row in shares[:, 1:]]
    return _figures_of(shares[:, 0], np.array(severities), scans)


def _candidate_figures(make: Callable[[], Any], scans: _Scans, seed: int) -> _Figures:
    return _figures(make, scans, None, seed=seed)


def _figures(make: Callable[[], Any], scans: _Scans, extra: HeadData | None, *, seed: int) -> _Figures:
    """The figures of a classifier for the grade and for each severity; only trees can take ``extra`` scans."""
    known = scans.graded
    folds = list(folds_of(known, scans.groups, scans.strata, seed=seed))

    def out_of_fold(truth_of: Callable[[HeadData], NDArray[np.int64]]) -> NDArray[np.float64]:
        shares = np.zeros((len(scans.groups), 3))
        for fitted, left_out in folds:
            rest = known.take(fitted) if extra is None else known.take(fitted).joined(extra)
            classifier = _fitted(make(), rest, truth_of(rest), is_weighted=extra is not None)
            shares[np.ix_(left_out, classifier.classes_)] = classifier.predict_proba(known.statistics[left_out])
        return shares

    severities = [ordinal_of_shares(out_of_fold(partial(_severity, number))) for number in range(len(OCTA_ARTIFACTS))]
    return _figures_of(out_of_fold(lambda scans: scans.grade), np.stack(severities, axis=1), scans)


def _severity(number: int, scans: HeadData) -> NDArray[np.int64]:
    return scans.severities[:, number]


def _fitted(classifier: Any, scans: HeadData, truth: NDArray[np.int64], *, is_weighted: bool) -> Any:
    there = truth != UNKNOWN
    if not is_weighted:
        return classifier.fit(scans.statistics[there], truth[there])
    balanced = balanced_weights(truth[there], scans.weight[there])
    return classifier.set_params(class_weight=None).fit(scans.statistics[there], truth[there], sample_weight=balanced)


def _figures_of(
    grade: NDArray[np.float64], severities: NDArray[np.int64], scans: _Scans, *, by_mean_grade: bool = True
) -> _Figures:
    """The figures of out-of-fold shares of the grade (n, 3) and severities (n, 4)."""
    known = scans.graded
    probabilities = fit_grade_scaling(grade, known.grade, by_mean_grade=by_mean_grade).probabilities(grade)

    def gradable_auc(source: str | None) -> float | None:
        chosen = np.ones(len(grade), np.bool_) if source is None else scans.sources == source
        return area_under_roc(1 - probabilities[chosen, 0], known.grade[chosen] > 0)

    return {
        "grade kappa": quadratic_kappa(ordinal_of_shares(grade), known.grade),
        "gradable AUC": gradable_auc(None),
        "within ROSSA": gradable_auc("ROSSA"),
        "within COIPS": gradable_auc("FAZ"),
        **{
            f"{kind.value} kappa": quadratic_kappa(severities[:, number], known.severities[:, number])
            for number, kind in enumerate(OCTA_ARTIFACTS)
        },
        "abstained": _abstained(probabilities, ordinal_of_shares(grade), scans),
    }


def _abstained(probabilities: NDArray[np.float64], ordinals: NDArray[np.int64], scans: _Scans) -> float:
    """The share left to a person at the level of a new study."""
    about: dict[str, Any] = {"labels": "", "method": "", "sources": ()}
    truth = scans.graded.grade.tolist()
    found = calibration_set(probabilities, truth, scans.groups, ordinals=ordinals.tolist(), **about)
    return accept_evidence(found, Protocol.default().conformal_level).abstained.value
