"""The loaded models of one worker process, fetched once and kept while in use. Imports torch only when asked."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
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
    weights: Path | None = None
    """The file that it was loaded from; None: there is none (a fake)."""


Loader = Callable[[ScanKind, Path | None], LoadedModel]
"""Fetches a lane's model, from these weights or, without any, the one that the settings name; takes seconds."""
Fetch = Callable[[int], Path]
"""The weights file of a registered version, with its card beside it (core.usecases.register_model.fetch_model)."""


def load_from(settings: Settings) -> Loader:
    """The loader of the models that the settings name."""

    def load(lane: ScanKind, weights: Path | None) -> LoadedModel:
        own = settings.model if lane is ScanKind.OCTA_ENFACE else "bundled"  # the setting is that lane's
        model = own if weights is None else str(weights)
        path = weights_path(lane, model)
        card = card_of(lane, path)
        scorer = load_scorer(lane, model=model, device=settings.worker_device)
        return LoadedModel(scorer, card.model_dump(mode="json"), device_use(settings.worker_device), path)

    return load


class ScorerCache:
    """Models by lane and version, loaded on first use; version None is the lane's own model."""

    def __init__(self, load: Loader, fetch: Fetch) -> None:
        self._load = load
        self._fetch = fetch
        self._models: dict[tuple[ScanKind, int | None], LoadedModel] = {}

    def loaded(self) -> tuple[tuple[ScanKind, LoadedModel], ...]:
        """The models that are in memory at this moment, each with its lane."""
        return tuple((lane, model) for (lane, _), model in self._models.items())

    def get(self, lane: ScanKind, version_id: int | None = None) -> LoadedModel:
        """The lane's own model, or one of its registered versions."""
        key = lane, version_id
        if key not in self._models:
            self._models[key] = self._load(lane, None if version_id is None else self._fetch(version_id))
        return self._models[key]

    def keep_only(self, lane: ScanKind, version_ids: Collection[int]) -> None:
        """Give up the lane's other versions, whose memory the next ones need; its own model stays."""
        for kind, version_id in tuple(self._models):
            if kind is lane and version_id is not None and version_id not in version_ids:
                del self._models[kind, version_id]
