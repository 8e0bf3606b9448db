"""Fetches the scorer of a lane; the one door from the program to deep learning, for the worker and the command line."""

from collections.abc import Callable
from pathlib import Path

from core.errors import UsageError
from core.scoring.card import ModelCard
from core.scoring.contract import OPEN_LANES, Scorer
from core.scoring.device_use import DeviceUse
from core.vocabulary import ScanKind

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
    card = ModelCard.beside(path)
    if card.kind is not kind:
        raise UsageError(f"{path.name} scores {card.kind.value}, not {kind.value}.", remedy="Give another model.")
    # torch takes seconds to import: only when the arguments have proved right.
    from core.scoring.torch_backend.device import choose_device, limit_threads  # noqa: PLC0415
    from core.scoring.torch_backend.octa_enface import (  # noqa: PLC0415
        OctaEnfaceScorer,
        load_heads,
        load_network,
    )

    chosen = choose_device(device)
    limit_threads()
    return OctaEnfaceScorer(load_network(path, card, chosen), card, chosen, load_heads(path))


def device_use(device: str = "auto") -> Callable[[], DeviceUse]:
    """A way to ask which device the setting ``device`` came to, and how much of its memory this process holds."""
    from core.scoring.torch_backend.device import choose_device, use_of  # noqa: PLC0415

    chosen = choose_device(device)
    return lambda: use_of(chosen)


def _coips_pair(folder: Path, joint: Scorer, device: str) -> Scorer:
    from core.scoring.torch_backend.coips_pair import CoipsPairScorer  # noqa: PLC0415
    from core.scoring.torch_backend.device import choose_device  # noqa: PLC0415

    return CoipsPairScorer(joint, folder, choose_device(device))
