"""What counting costs of scoring, as a share of a scored batch's time. Run it with python bench/counting.py."""

import sys
import time
from collections.abc import Callable
from typing import Any

from core.scoring.registry import load_scorer
from core.usecases import assess_scans, record_assessments
from core.usecases.measure_scoring import measure_scoring
from core.vocabulary import ScanKind

N_SCANS, N_ROUNDS = 48, 2


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
    figures = measure_scoring(
        scorer, n_scans=N_SCANS, n_rounds=N_ROUNDS, batch_size=16, device="cpu", on_round=lambda _: None
    )
    per_scan = 1.0 / figures.pipeline_scans_per_s
    counted, written = (each.seconds / (N_SCANS * N_ROUNDS) for each in (counting, writing))
    times = (1000 * each for each in (per_scan, written, counted))
    say("scoring a scan {:.1f} ms, of it writing {:.1f} ms, of it counting {:.1f} ms".format(*times))
    say(f"counting is {100 * counted / per_scan:.1f} % of scoring and {100 * counted / written:.1f} % of writing")


if __name__ == "__main__":
    main(lambda line: sys.stdout.write(f"{line}\n"))
