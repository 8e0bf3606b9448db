"""Which models serve a lane at this moment: its own, and those that are active somewhere, fetched from the blob store.

Asked anew for every message, so an activation needs no restart. A model that cannot be loaded serves nobody: its scans
wait, the others go on, and the worker tells of it.
"""

import logging
from collections import Counter
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from core.database.session import Database, session_scope
from core.errors import OctauditError
from core.storage import BlobStore
from core.store.model_choice import ModelChoice, active_versions
from core.store.rescoring_queue import wanted_versions
from core.usecases.register_model import fetch_model, register_model
from core.vocabulary import ModelOrigin, ScanKind
from worker.scorer_cache import LoadedModel, Loader, ScorerCache

_LOG = logging.getLogger(__name__)
_FAULTS = (OctauditError, OSError, SQLAlchemyError)
"""What goes wrong with one model and leaves the others in order."""


class ServedModels:
    """The models of one worker process over its database, blobs and a folder for fetched weights."""

    def __init__(self, database: Database, blobs: BlobStore, load: Loader, folder: Path) -> None:
        self._database = database
        self._blobs = blobs
        self._cache = ScorerCache(
            load, lambda version_id: fetch_model(database, blobs, version_id=version_id, folder=folder)
        )
        self._own_ids: dict[ScanKind, int] = {}
        self._faults: dict[int, str] = {}
        self._turns: Counter[ScanKind] = Counter()

    def own(self, lane: ScanKind) -> LoadedModel:
        """The lane's own model, registered once with its weights, so that it can be chosen after an update, too."""
        model = self._cache.get(lane)
        if lane not in self._own_ids and model.weights is not None:
            try:
                self._own_ids[lane], _ = register_model(
                    self._database, self._blobs, identity=model.scorer.identity, card=model.card,
                    weights=model.weights, origin=ModelOrigin.INSTALLATION,
                )  # fmt: skip
            except _FAULTS:
                _LOG.warning("The model of lane %s could not be registered; tried again.", lane.value, exc_info=True)
        return model

    def serving(self, lane: ScanKind) -> list[tuple[ModelChoice, LoadedModel]]:
        """The models that serve the lane, each with the scans that are its own; another one first at every turn."""
        own, own_id = self.own(lane), self._own_ids.get(lane)
        with session_scope(self._database) as session:
            active = active_versions(session, lane)
            wanted = wanted_versions(session, lane)
        self._cache.keep_only(lane, {*active, *wanted})
        self._faults = {id_: fault for id_, fault in self._faults.items() if id_ in {*active, *wanted}}
        found = [(ModelChoice(own_id, is_default=True), own)]
        others = ((id_, self.version(lane, id_)) for id_ in active if id_ != own_id)
        found += [(ModelChoice(id_, is_default=False), model) for id_, model in others if model is not None]
        self._turns[lane] += 1
        first = self._turns[lane] % len(found)
        return [*found[first:], *found[:first]]

    def version(self, lane: ScanKind, version_id: int) -> LoadedModel | None:
        """A registered version; None where it cannot be loaded, which ``faults`` then tells."""
        if version_id == self._own_ids.get(lane):
            return self.own(lane)
        try:
            model = self._cache.get(lane, version_id)
        except _FAULTS as error:
            if version_id not in self._faults:
                _LOG.exception("Model version %d cannot be loaded; its scans wait.", version_id)
            self._faults[version_id] = str(error)
            return None
        self._faults.pop(version_id, None)
        return model

    def loaded(self) -> tuple[tuple[ScanKind, LoadedModel], ...]:
        """The models that are in memory at this moment, each with its lane."""
        return self._cache.loaded()

    def faults(self) -> dict[int, str]:
        """Versions that are wanted and cannot be loaded, and why."""
        return dict(self._faults)
