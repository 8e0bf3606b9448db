"""The loaded models of one worker process: each lane's is fetched once and kept. Imports torch only when asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from core.scoring.contract import Scorer
from core.scoring.device_use import DeviceUse, process_use
from core.scoring.registry import card_of, device_use, load_scorer, weights_path
from core.settings import Settings
from core.vocabulary import ScanKind


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A scorer with the card of its weights, which is stored beside its first assessment."""

    scorer: Scorer
    card: Mapping[str, Any]
    device_use: Callable[[], DeviceUse] = process_use
    """Where it computes, and the memory that the process holds there."""


Loader = Callable[[ScanKind], LoadedModel]
"""Fetches a lane's model; takes seconds."""


def load_from(settings: Settings) -> Loader:
    """The loader of the models that the settings name."""

    def load(lane: ScanKind) -> LoadedModel:
        card = card_of(lane, weights_path(lane, settings.model))
        scorer = load_scorer(lane, model=settings.model, device=settings.worker_device)
        return LoadedModel(scorer, card.model_dump(mode="json"), device_use(settings.worker_device))

    return load


class ScorerCache:
    """Models by lane, loaded on first use."""

    def __init__(self, load: Loader) -> None:
        self._load = load
        self._models: dict[ScanKind, LoadedModel] = {}

    def loaded(self) -> Mapping[ScanKind, LoadedModel]:
        """The models that are in memory at this moment."""
        return dict(self._models)

    def get(self, lane: ScanKind) -> LoadedModel:
        """The lane's model."""
        if lane not in self._models:
            self._models[lane] = self._load(lane)
        return self._models[lane]
