"""The metrics catalogue in the documentation names every metric that the values hold."""

from dataclasses import fields
from pathlib import Path

import pytest

from core.measures.etdrs import EtdrsThickness
from core.measures.thickness import ThicknessAgreement
from core.values import ArtifactScore, Centration, FazMetrics, ImageIndices, VesselMetrics

CATALOGUE = (Path(__file__).parents[3] / "docs/metrics.md").read_text(encoding="utf-8")
NO_METRIC = {"type", "mask"}


@pytest.mark.parametrize(
    "values", [FazMetrics, Centration, ArtifactScore, VesselMetrics, ImageIndices, EtdrsThickness, ThicknessAgreement]
)
def test_every_metric_is_in_the_catalogue(values):
    missing = {field.name for field in fields(values) if f"`{field.name}`" not in CATALOGUE}
    assert missing <= NO_METRIC
