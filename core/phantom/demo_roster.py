"""The demo study's sites, devices and technicians, and what is planted in them. Names are invented."""

from dataclasses import replace

from core.phantom.demo_values import DemoDevice, DemoSite, DemoTechnician
from core.phantom.look import LOOKS

BAD_SITE = "CEDAR"
DECLINING_DEVICE = "ALDER-2"
DECLINE_WEEK = 14
DECLINE_CAUSE = f"Yearly service of {DECLINING_DEVICE} put off: the light source is past its hours."
TINY_SITE = "ROWAN"
UPDATED_DEVICE = "BIRCH-1"
UPDATE_WEEK = 9
UPDATED_SOFTWARE = "4.3.0"
NEWCOMER = "HAZEL-T3"
NEWCOMER_WEEK = 11

SITES = (
    DemoSite("ALDER", "Alder Eye Hospital", "NL", 66),
    DemoSite("BIRCH", "Birch University Clinic", "SE", 36),
    DemoSite("CEDAR", "Cedar Vision Centre", "GB", 34),
    DemoSite("ELM", "Elm Street Ophthalmology", "IE", 38),
    DemoSite("HAZEL", "Hazel Retina Institute", "DE", 37),
    DemoSite("ROWAN", "Rowan Day Clinic", "DK", 4),
)
"""215 visits: with ALDER the largest its declining device does not turn the whole site red."""

_NORTH = ("Northlight Optics", "NL-200", "2.8.1")
_HELIA = ("Helia Instruments", "Angio 3", "4.2.0")
_KESTREL = ("Kestrel Imaging", "K1 Swept", "1.9.4")

_CRISP = LOOKS["crisp"]
_SMOOTH = LOOKS["smooth"]
_LOOKS = {
    "Northlight Optics": _CRISP,
    "Helia Instruments": _SMOOTH,
    "Kestrel Imaging": replace(_CRISP, speckle=0.7, line_noise=0.08, gain=1.3, black=0.09),
}


def _device(code: str, maker: tuple[str, str, str], serial: str, share: float) -> DemoDevice:
    manufacturer, model, software = maker
    site = code.rsplit("-", 1)[0]
    return DemoDevice(code, site, manufacturer, model, serial, software, share, _LOOKS[manufacturer])


DEVICES = (
    _device("ALDER-1", _NORTH, "N200-10417", 0.25),
    _device("ALDER-2", _HELIA, "H3-00291", 0.55),
    _device("ALDER-3", _KESTREL, "K1-5530", 0.20),
    _device("BIRCH-1", _HELIA, "H3-00318", 0.60),
    _device("BIRCH-2", _NORTH, "N200-10522", 0.40),
    _device("CEDAR-1", _NORTH, "N200-10688", 0.50),
    _device("CEDAR-2", _KESTREL, "K1-5571", 0.50),
    _device("ELM-1", _KESTREL, "K1-5602", 0.50),
    _device("ELM-2", _HELIA, "H3-00333", 0.50),
    _device("HAZEL-1", _NORTH, "N200-10701", 0.60),
    _device("HAZEL-2", _HELIA, "H3-00347", 0.40),
    _device("ROWAN-1", _NORTH, "N200-10733", 1.00),
)
"""Twelve devices of three makes, each make at several sites."""

TECHNICIANS = (
    DemoTechnician("ALDER-T1", "ALDER", "Technician 1"),
    DemoTechnician("ALDER-T2", "ALDER", "Technician 2"),
    DemoTechnician("ALDER-T3", "ALDER", "Technician 3"),
    DemoTechnician("BIRCH-T1", "BIRCH", "Technician 1"),
    DemoTechnician("BIRCH-T2", "BIRCH", "Technician 2"),
    DemoTechnician("CEDAR-T1", "CEDAR", "Technician 1"),
    DemoTechnician("CEDAR-T2", "CEDAR", "Technician 2"),
    DemoTechnician("ELM-T1", "ELM", "Technician 1"),
    DemoTechnician("ELM-T2", "ELM", "Technician 2"),
    DemoTechnician("HAZEL-T1", "HAZEL", "Technician 1"),
    DemoTechnician("HAZEL-T2", "HAZEL", "Technician 2"),
    DemoTechnician(NEWCOMER, "HAZEL", "Technician 3", NEWCOMER_WEEK),
    DemoTechnician("ROWAN-T1", "ROWAN", "Technician 1"),
)

GRADERS = ("grader-1", "grader-2")
"""Two graders who see neither each other's grades nor the model's."""
THIRD_GRADER = "grader-3"
"""The third, whom the grading plan asks for: grades only what is drawn."""
