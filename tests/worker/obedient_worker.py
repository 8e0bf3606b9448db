"""The real worker with the scorer of lane.py in the place of a network; run by tests as a program of its own."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lane import ObedientScorer

from core.settings import load_settings
from core.vocabulary import ScanKind
from worker.__main__ import run
from worker.app import make_app
from worker.scorer_cache import LoadedModel


def load(_lane: ScanKind) -> LoadedModel:
    return LoadedModel(ObedientScorer(delay_s=float(os.environ.get("TEST_DELAY_S", "0"))), {"name": "obedient"})


if __name__ == "__main__":
    settings = load_settings()
    run(make_app(settings, load=load), settings)
