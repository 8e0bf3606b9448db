"""The real worker with the scorer of lane.py in the place of a network; run by tests as a program of its own."""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lane import ObedientScorer, identity_of

from core.settings import load_settings
from core.vocabulary import ScanKind
from worker.__main__ import run
from worker.app import make_app
from worker.scorer_cache import LoadedModel


def load(_lane: ScanKind, weights: Path | None) -> LoadedModel:
    """The obedient scorer under its own name, or under that of the card beside the weights."""
    delay_s = float(os.environ.get("TEST_DELAY_S", "0"))
    if weights is None:
        return LoadedModel(ObedientScorer(delay_s=delay_s), {"name": "obedient"})
    card = json.loads(weights.with_suffix(".json").read_text("utf-8"))
    return LoadedModel(ObedientScorer(delay_s=delay_s, own_identity=identity_of(card)), card)


if __name__ == "__main__":
    settings = load_settings()
    run(make_app(settings, load=load), settings)
