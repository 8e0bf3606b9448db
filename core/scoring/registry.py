"""Fetches the scorer of a lane; the one door from the program to deep learning, for the worker and the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import UsageError
from core.scoring.bscan_card import BscanCard
from core.scoring.card import LaneCard, ModelCard
from core.scoring.contract import OPEN_LANES, LayeredScorer, Scorer
from core.scoring.device_use import DeviceUse
from core.scoring.layers_card import LayersCard
from core.scoring.onh_card import OnhCard
from core.vocabulary import LayerScheme, ScanKind

if TYPE_CHECKING:
    import torch

BUNDLED_FOLDER = Path(__file__).resolve().parent.parent / "weights"


def weights_path(kind: ScanKind, model: str = "bundled") -> Path:
    """The weights file that ``model`` names: the bundled one of the lane, or a path."""
    return BUNDLED_FOLDER / f"{kind.value}.safetensors" if model == "bundled" else Path(model)


def load_scorer(kind: ScanKind, *, model: str = "bundled", device: str = "auto") -> Scorer:
    """Load a lane's model once; hold the scorer for as long as the process lives.

    Parameters
    ----------
    kind : ScanKind
        The lane.
    model : str
        "bundled", the path of a .safetensors file with its card (.json) beside it, or a folder that holds a COIPS
        pair: coips-quality.safetensors and coips-faz.safetensors with their cards.
    device : str
        "cpu", "cuda", "cuda:N", or "auto": CUDA where there is one.

    Raises
    ------
    UsageError
        There is no such lane, model or device, or weights and card do not belong together.
    """
    if kind not in OPEN_LANES:
        remedy = f"Score images of kind {', '.join(OPEN_LANES)}."
        raise UsageError(f"Scans of kind {kind.value} cannot be scored yet.", remedy=remedy)
    if Path(model).is_dir():
        return _coips_pair(Path(model), load_scorer(kind, device=device), device)
    path = weights_path(kind, model)
    card = card_of(kind, path)
    # torch takes seconds to import: only when the arguments have proved right.
    from core.scoring.torch_backend.device import choose_device, limit_threads  # noqa: PLC0415

    chosen = choose_device(device)
    limit_threads()
    return _LOADERS[kind](path, card, chosen)


def scorer_in_scheme(scorer: Scorer, scheme: LayerScheme) -> Scorer:
    """The scorer with its layers said in a scheme; UsageError where it finds no layers, or too coarse ones."""
    if not isinstance(scorer, LayeredScorer):
        raise UsageError(
            f"Scans of kind {scorer.kind} have no layers, so no scheme can be chosen.",
            remedy="Leave --scheme out, or score with --kind volume.",
        )
    return scorer.in_scheme(scheme)


def card_of(kind: ScanKind, weights: Path) -> LaneCard:
    """The card of a lane's weights.

    Raises
    ------
    UsageError
        Weights or card are missing or do not belong together, or they are another lane's.
    """
    card = _CARDS[kind].beside(weights)
    if card.kind is not kind:
        raise UsageError(f"{weights.name} scores {card.kind.value}, not {kind.value}.", remedy="Give another model.")
    return card


def device_use(device: str = "auto") -> Callable[[], DeviceUse]:
    """A way to ask which device the setting ``device`` came to, and how much of its memory this process holds."""
    from core.scoring.torch_backend.device import choose_device, use_of  # noqa: PLC0415

    chosen = choose_device(device)
    return lambda: use_of(chosen)


def _coips_pair(folder: Path, joint: Scorer, device: str) -> Scorer:
    from core.scoring.torch_backend.coips_pair import CoipsPairScorer  # noqa: PLC0415
    from core.scoring.torch_backend.device import choose_device  # noqa: PLC0415

    return CoipsPairScorer(joint, folder, choose_device(device))


def _octa_enface(weights: Path, card: LaneCard, device: "torch.device") -> Scorer:
    from core.scoring.torch_backend.octa_enface import OctaEnfaceScorer, load_heads, load_network  # noqa: PLC0415

    assert isinstance(card, ModelCard), "the lane's own card"
    return OctaEnfaceScorer(load_network(weights, card, device), card, device, load_heads(weights))


def _volume(weights: Path, card: LaneCard, device: "torch.device") -> Scorer:
    from core.scoring.torch_backend.volume import VolumeScorer  # noqa: PLC0415

    assert isinstance(card, LayersCard), "the lane's own card"
    return VolumeScorer.load(weights, card, device)


def _onh_enface(weights: Path, card: LaneCard, device: "torch.device") -> Scorer:
    from core.scoring.torch_backend.onh_enface import OnhEnfaceScorer  # noqa: PLC0415

    assert isinstance(card, OnhCard), "the lane's own card"
    return OnhEnfaceScorer.load(weights, card, device)


def _bscan(weights: Path, card: LaneCard, device: "torch.device") -> Scorer:
    from core.scoring.torch_backend.bscan import BscanScorer  # noqa: PLC0415

    assert isinstance(card, BscanCard), "the lane's own card"
    return BscanScorer.load(weights, card, device)


_CARDS: dict[ScanKind, type[LaneCard]] = {
    ScanKind.OCTA_ENFACE: ModelCard,
    ScanKind.ONH_ENFACE: OnhCard,
    ScanKind.BSCAN: BscanCard,
    ScanKind.VOLUME: LayersCard,
}
_LOADERS: dict[ScanKind, "Callable[[Path, LaneCard, torch.device], Scorer]"] = {
    ScanKind.OCTA_ENFACE: _octa_enface,
    ScanKind.ONH_ENFACE: _onh_enface,
    ScanKind.BSCAN: _bscan,
    ScanKind.VOLUME: _volume,
}
"""One entry per lane: its card, and what loads its scorer."""
