"""Which heads decide best on the scan statistics: the joint network's choice beside others, by the same folds."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from core.scoring.card import ModelCard
from core.scoring.lanes.scan_heads import ordinal_of_shares
from core.scoring.registry import weights_path
from core.scoring.torch_backend.device import choose_device, limit_threads
from core.scoring.torch_backend.octa_enface import OctaEnfaceScorer, load_network
from core.statistics.agreement import quadratic_kappa
from core.statistics.classification import area_under_roc
from core.training.folder import read_folder
from core.training.graded import graded_images, groups_and_strata, head_data
from core.training.scan_heads import FEATURE_SHARE, MIN_LEAF, N_TREES, HeadData, cross_validate, folds_of
from core.training.splits import split
from core.vocabulary import ArtifactType, ScanKind

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


KEPT = "kept: the same for the grade, ordinal trees with fitted cuts for severities"
CANDIDATES: dict[str, Callable[[], Any]] = {
    "extremely randomised trees, classification": _trees,
    "ridge logistic regression, C 0.01": _logistic(0.01),
    "ridge logistic regression, C 0.1": _logistic(0.1),
    "support vectors, radial": _support_vectors,
}


def compare_heads(data: Path, *, model: str, split_seed: int, device: str = "auto") -> list[dict[str, Any]]:
    """Per candidate the mean over SEEDS of out-of-fold figures: grade kappa, gradable AUC, severity kappas.

    The folds of a seed are the same for all candidates and keep near duplicates together; nothing is tuned on what is
    left out. All learn from the graded scans alone.
    """
    weights = weights_path(ScanKind.OCTA_ENFACE, model)
    card = ModelCard.beside(weights)
    limit_threads()
    chosen = choose_device(device)
    scorer = OctaEnfaceScorer(load_network(weights, card, chosen), card, chosen)
    graded = graded_images(split(read_folder(data), seed=split_seed))
    known, named = head_data(scorer, graded), groups_and_strata(graded)
    kept = {"heads": KEPT} | _mean(_kept_figures(known, *named, seed=seed) for seed in SEEDS)
    others = [
        {"heads": name} | _mean(_figures(make, known, *named, seed=seed) for seed in SEEDS)
        for name, make in CANDIDATES.items()
    ]
    return [kept, *others]


def heads_table(record: Sequence[dict[str, Any]]) -> str:
    """The record as a table of the documentation."""
    names = [name for name in record[0] if name != "heads"]
    lines = [f"| heads | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    lines += [f"| {row['heads']} | " + " | ".join(f"{row[name]:.3f}" for name in names) + " |" for row in record]
    return "\n".join(lines)


def _mean(draws: Iterable[dict[str, float | None]]) -> dict[str, float]:
    found = list(draws)
    means = {name: np.mean([np.nan if draw[name] is None else draw[name] for draw in found]) for name in found[0]}
    return {name: round(float(mean), 4) for name, mean in means.items()}


def _kept_figures(
    known: HeadData, groups: Sequence[str], strata: Sequence[str], *, seed: int
) -> dict[str, float | None]:
    found = cross_validate(known, groups, strata, seed=seed)
    return _figures_of(found.grade, found.severities, known)


def _figures(
    make: Callable[[], Any], known: HeadData, groups: Sequence[str], strata: Sequence[str], *, seed: int
) -> dict[str, float | None]:
    folds = list(folds_of(known, groups, strata, seed=seed))
    grade = _out_of_fold(make, known.statistics, known.grade, folds)
    severities = [
        ordinal_of_shares(_out_of_fold(make, known.statistics, known.severities[:, number], folds))
        for number in range(len(ArtifactType))
    ]
    return _figures_of(grade, np.stack(severities, axis=1), known)


def _figures_of(grade: NDArray[np.float64], severities: NDArray[np.int64], known: HeadData) -> dict[str, float | None]:
    """The figures of out-of-fold shares of the grade (n, 3) and severities (n, 4)."""
    return {
        "grade kappa": quadratic_kappa(ordinal_of_shares(grade), known.grade),
        "gradable AUC": area_under_roc(1 - grade[:, 0], known.grade > 0),
        **{
            f"{kind.value} kappa": quadratic_kappa(severities[:, number], known.severities[:, number])
            for number, kind in enumerate(ArtifactType)
        },
    }


def _out_of_fold(
    make: Callable[[], Any],
    statistics: NDArray[np.float64],
    truth: NDArray[np.int64],
    folds: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]],
) -> NDArray[np.float64]:
    shares = np.zeros((len(truth), 3))
    for fitted, left_out in folds:
        model = make().fit(statistics[fitted], truth[fitted])
        shares[np.ix_(left_out, model.classes_)] = model.predict_proba(statistics[left_out])
    return shares
