"""Which heads decide best on the scan statistics: the joint network's choice beside others, by the same folds."""

from collections.abc import Callable, Sequence
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
from core.training.scan_heads import FEATURE_SHARE, MIN_LEAF, N_TREES, HeadData, folds_of
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


CANDIDATES: dict[str, Callable[[], Any]] = {
    "extremely randomised trees (kept)": _trees,
    "ridge logistic regression, C 0.01": _logistic(0.01),
    "ridge logistic regression, C 0.1": _logistic(0.1),
    "support vectors, radial": _support_vectors,
}


def compare_heads(data: Path, *, model: str, split_seed: int, device: str = "auto") -> list[dict[str, Any]]:
    """Per candidate the mean over SEEDS of out-of-fold figures: grade kappa, gradable AUC, severity kappas.

    The folds of a seed are the same for all candidates and keep near duplicates together; nothing is tuned inside.
    """
    weights = weights_path(ScanKind.OCTA_ENFACE, model)
    card = ModelCard.beside(weights)
    limit_threads()
    chosen = choose_device(device)
    scorer = OctaEnfaceScorer(load_network(weights, card, chosen), card, chosen)
    graded = graded_images(split(read_folder(data), seed=split_seed))
    known, named = head_data(scorer, graded), groups_and_strata(graded)
    return [{"heads": name} | _figures(make, known, *named) for name, make in CANDIDATES.items()]


def heads_table(record: Sequence[dict[str, Any]]) -> str:
    """The record as a table of the documentation."""
    names = [name for name in record[0] if name != "heads"]
    lines = [f"| heads | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    lines += [f"| {row['heads']} | " + " | ".join(f"{row[name]:.3f}" for name in names) + " |" for row in record]
    return "\n".join(lines)


def _figures(
    make: Callable[[], Any], known: HeadData, groups: Sequence[str], strata: Sequence[str]
) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for seed in SEEDS:
        folds = list(folds_of(known, groups, strata, seed=seed))
        shares = _out_of_fold(make, known.statistics, known.grade, folds)
        values = {
            "grade kappa": quadratic_kappa(ordinal_of_shares(shares), known.grade),
            "gradable AUC": area_under_roc(1 - shares[:, 0], known.grade > 0),
        }
        for number, kind in enumerate(ArtifactType):
            truth = known.severities[:, number]
            severities = _out_of_fold(make, known.statistics, truth, folds)
            values[f"{kind.value} kappa"] = quadratic_kappa(ordinal_of_shares(severities), truth)
        for name, value in values.items():
            found.setdefault(name, []).append(float("nan") if value is None else value)
    return {name: round(float(np.mean(values)), 4) for name, values in found.items()}


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
