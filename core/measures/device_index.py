"""Published limits of the devices' own quality indices; one of another name is another measure, none is converted."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IndexLimit:
    """Below ``limit`` a scan was called poor in the source, for the device that the index belongs to."""

    name: str
    limit: float
    device: str
    source: str

    def is_met_by(self, value: float) -> bool:
        """Whether an index of this name is not below the limit."""
        return value >= self.limit


INDEX_LIMITS = {
    each.name: each
    for each in (
        IndexLimit("SSI", 55.0, "AngioVue", "Lujan et al. 2021, doi:10.1167/tvst.10.3.2"),
        IndexLimit("SS", 7.0, "AngioPlex", "Lujan et al. 2021, doi:10.1167/tvst.10.3.2"),
        IndexLimit("Quality (dB)", 15.0, "Spectralis", "Tewarie et al. 2012, doi:10.1371/journal.pone.0034823"),
    )
}
"""By name. Neither limit alone tells a good scan: an index does not see motion or a wrong centre."""
