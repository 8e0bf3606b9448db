"""What a model for OCTA en-face scans is asked to reach, beside what it reached: the misses are said as plainly."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.scoring.card import ReportedMetric
from core.training.evaluation.figures import interval_text


@dataclass(frozen=True, slots=True)
class Asked:
    """One figure: at least ``least``, or at most ``most`` where smaller is better."""

    words: str
    name: str
    set: str
    """What the name of the measured set begins with."""
    least: float | None = None
    most: float | None = None

    @property
    def limit(self) -> str:
        """The limit in words."""
        return f"at least {self.least:g}" if self.least is not None else f"at most {self.most:g}"

    def is_met(self, value: float) -> bool:
        """Whether the value itself, not its interval, keeps the limit."""
        return value >= self.least if self.least is not None else self.most is not None and value <= self.most


ASKED = (
    Asked("FAZ Dice, superficial, 3 mm", "FAZ Dice", "faz_coips superficial 3 mm, held", 0.95),
    Asked("FAZ Dice, deep", "FAZ Dice", "faz_coips deep", 0.90),
    Asked("FAZ Dice, inner retina, 3 mm (phantoms)", "FAZ Dice", "phantoms inner-retina 3 mm", 0.88),
    Asked("FAZ Dice, inner retina, 6 mm (phantoms)", "FAZ Dice", "phantoms inner-retina 6 mm", 0.88),
    Asked(
        "FAZ area, good scans: half-width of the limits of agreement, mm²",
        "FAZ area: half-width of the 95 % limits of agreement",
        "faz_coips superficial 3 mm, graded",
        most=0.046,
    ),
    Asked("grade, quadratic kappa", "grade quadratic kappa", "octa_graded,", 0.82),
    Asked("gradable AUC, all", "gradable AUC", "octa_graded,", 0.95),
    Asked("gradable AUC, within ROSSA", "gradable AUC", "octa_graded ROSSA,", 0.90),
    Asked("gradable AUC, within COIPS", "gradable AUC", "octa_graded FAZ,", 0.80),
    Asked("motion, severity kappa", "motion: severity kappa", "octa_graded,", 0.65),
    Asked("shadow, severity kappa", "shadow: severity kappa", "octa_graded,", 0.84),
    Asked("low signal, severity kappa", "low_signal: severity kappa", "octa_graded,", 0.85),
    Asked(
        "accepted and ungradable at the default level",
        "accepted and ungradable, mean of 200 splits",
        "graded scans,",
        most=0.01,
    ),
    Asked("abstained share at the default level (an aim)", "abstained share", "graded scans,", most=0.15),
    Asked("drawn fundus photographs refused", "refused as no OCTA", "drawn fundus,", 1.0),
    Asked("photographs refused", "refused as no OCTA", "photographs,", 1.0),
    Asked("text refused", "refused as no OCTA", "drawn text,", 1.0),
    Asked("noise refused", "refused as no OCTA", "drawn noise,", 1.0),
    Asked("blank pictures refused", "refused as no OCTA", "drawn blank,", 1.0),
    Asked("B-scans refused (layers_duke_dme)", "refused as no OCTA", "layers_duke_dme,", 1.0),
)
"""Of a bundled model, on images that no part of its training saw; grade and severity by folds."""

LEAST_SCANS_PER_S = 12.0
"""From stored image to committed rows, on two cores."""


def asked_rows(metrics: Sequence[ReportedMetric]) -> Iterator[tuple[str, str, str, str]]:
    """What was asked, the limit, the figure with its interval, whether it is met; what was not measured is left out."""
    for asked in ASKED:
        found = next((one for one in metrics if one.name == asked.name and one.set.startswith(asked.set)), None)
        if found is not None:
            yield asked.words, asked.limit, interval_text(found), "yes" if asked.is_met(found.value) else "**no**"


def speed_row(record: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """The asked speed beside what `octaudit bench scoring` measured (its JSON) and how busy the machine was."""
    reached = record["pipeline_scans_per_s"]
    beside = f"{reached:.1f} scans/s on {record['n_cores']} cores, load average {record['load_average']:.1f}"
    words = f"whole pipeline, {record['size_px']} x {record['size_px']} (octaudit bench scoring)"
    return words, f"at least {LEAST_SCANS_PER_S:g} scans/s", beside, "yes" if reached >= LEAST_SCANS_PER_S else "**no**"


def asked_table(metrics: Sequence[ReportedMetric], speed: Mapping[str, Any] | None = None) -> str:
    """The rows as a table of the documentation; ``speed`` as in ``speed_row``, where it was measured."""
    lines = ["| asked | limit | reached (95 % interval) | met |", "|---|---|---|---|"]
    rows = [*asked_rows(metrics), *([] if speed is None else [speed_row(speed)])]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
