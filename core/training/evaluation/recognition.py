"""How many pictures that are no OCTA en-face images are refused, per kind, and how many real ones are taken."""

from collections.abc import Sequence

import numpy as np

from core.scoring.card import ReportedMetric
from core.training.evaluation.cases import Case
from core.training.evaluation.figures import Sample, Topic


def recognition_figures(cases: Sequence[Case], protocol: str) -> list[ReportedMetric]:
    """The share refused of each kind of stranger, and the share taken of each set of OCTA images."""
    found = []
    for name in sorted({case.set for case in cases}):
        members = [case for case in cases if case.set == name]
        sample = Sample(Topic.STRANGERS, f"{name}, {protocol}", tuple(case.group for case in members))
        is_right = np.array([case.said.is_octa == case.is_octa for case in members], bool)
        name_of_share = "taken for OCTA" if members[0].is_octa else "refused as no OCTA"
        # However few: the exact interval says what they are worth, and one stranger graded silently is news.
        found += sample.share(name_of_share, is_right, min_images=1)
    return found
