"""The link under a scan that came as DICOM: its results as DICOM objects, for the archive that it came from."""

from core.reports.exportable import is_rejected, may_export, read_exportable
from core.store.access import Actor
from core.store.scan_view import ScanView
from dashboard.components.markup import tag
from dashboard.components.panel import panel
from dashboard.session import open_session


def draw_dicom_download(view: ScanView, actor: Actor) -> None:
    """Offer the download where there is something to take away and the person may; draws nothing otherwise."""
    if view.assessment is None or not may_export(actor, view):
        return
    with open_session() as session:
        if not read_exportable(session, view.scan_id):
            return
    contents = "masks (SEG), figures (SR)"
    if is_rejected(view.final_verdict, view.state):
        contents += " and the rejection (key object)"
    link = tag("a", "DICOM results", href=f"/scans/{view.scan_id}/dicom.zip", download=True)
    note = tag("span", f" · {contents}, naming the object that was sent", class_="muted small")
    panel(tag("p", link, note), key="dicom")
