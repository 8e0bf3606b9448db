"""What counting costs of scoring, as a share of a scored batch's time. Run it with python bench/counting.py."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.scoring.registry import load_scorer
from core.usecases import assess_scans, record_assessments
from core.usecases.measure_pages import counting_words
from core.usecases.measure_scoring import measure_scoring
from core.vocabulary import ScanKind

N_SCANS = 32
FIGURES = Path(__file__).parents[1] / "docs" / "figures" / "counting.json"


class Stopwatch:
    """Adds up the time of one function, wherever its module calls it."""

    def __init__(self, module: Any, name: str) -> None:
        self.seconds, self._timed = 0.0, getattr(module, name)
        setattr(module, name, self._call)

    def _call(self, *arguments: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return self._timed(*arguments, **named)
        finally:
            self.seconds += time.perf_counter() - began


def main(say: Callable[[str], object]) -> None:
    """Score phantoms as the worker does and say what part of it was counting."""
    counting = Stopwatch(record_assessments, "recount_slots")
    writing = Stopwatch(assess_scans, "record_assessments")
    scorer: Any = load_scorer(ScanKind.OCTA_ENFACE, model="bundled", device="cpu")
    figures = measure_scoring(scorer, n_scans=N_SCANS, n_rounds=1, batch_size=16, device="cpu", on_round=lambda _: None)
    per_scan_ms = 1000.0 / N_SCANS
    record = {
        "n_scans": N_SCANS,
        "scoring_ms": round(1000.0 / figures.pipeline_scans_per_s, 2),
        "writing_ms": round(writing.seconds * per_scan_ms, 2),
        "counting_ms": round(counting.seconds * per_scan_ms, 2),
    }
    say(counting_words(record))
    FIGURES.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(lambda line: sys.stdout.write(f"{line}\n"))
