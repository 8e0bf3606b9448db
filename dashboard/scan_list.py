"""The list that somebody came from to a scan, as the scan's address names it: which list, narrowed how. Draws nothing.

``/scan?id=7&list=to-decide&site=3``: the worklist's list under ``list``, its filters under their own names. So a link
keeps its place in the list, for a colleague as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from core.store.worklist import WorklistTab
from dashboard.filters import Field

LIST = "list"
"""The list's name in the address."""


@dataclass(frozen=True, slots=True)
class ScanList:
    """One list of the worklist with the filters that narrow it, as the address spells them."""

    tab: WorklistTab
    filters: Mapping[str, str]

    @property
    def query(self) -> dict[str, str]:
        """What a scan's address carries beside its id to keep the place in this list."""
        return {LIST: self.tab.value, **self.filters}

    def scan_address(self, scan_id: int) -> str:
        """The address of a scan in this list."""
        return f"/scan?{urlencode({'id': scan_id, **self.query})}"

    @property
    def address(self) -> str:
        """The address of the list itself."""
        return f"/worklist?{urlencode({'tab': self.tab.value, **self.filters})}"


def list_in(query: Mapping[str, str]) -> ScanList | None:
    """The list that an address names; None where it names none, or none that there is."""
    name = query.get(LIST, "")
    if name not in list(WorklistTab):
        return None
    return ScanList(WorklistTab(name), {field.value: query[field] for field in Field if query.get(field)})
