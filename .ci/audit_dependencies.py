"""Ask a database of known vulnerabilities about every package of the environment; fail on a finding.

Asked are OSV and, where that does not answer, the package index; or, with OCTAUDIT_AUDIT_DATABASE=FILE, an export of
OSV's PyPI advisories (its all.zip), brought to a machine without a network: then nothing leaves it. Where nobody can be
asked the run goes on and says that nothing was audited and what to do; with OCTAUDIT_AUDIT_REQUIRED=1, as in a pipeline
that has a network, that is a failure, too.
"""

import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

ACCEPTED: dict[str, str] = {}
"""Vulnerability -> why it does not concern octaudit, and until when that was looked at."""
OWN = "octaudit"
SERVICES = ("osv", "pypi")
PATIENCE_S = 300
OLD_DAYS = 14
"""An export older than that says nothing of what was found since."""
NOBODY = (
    "Dependencies were NOT audited: no database of vulnerabilities could be asked from here. "
    "Run `make audit` where there is a network, or bring OSV's export of PyPI advisories (all.zip) and run "
    "`OCTAUDIT_AUDIT_DATABASE=all.zip make audit`."
)


@dataclass(frozen=True)
class Package:
    """An installed package and what is known against it; ``is_asked`` False: nobody could say."""

    name: str
    version: str
    faults: tuple[tuple[str, tuple[str, ...]], ...]
    """Advisory and the versions that mend it."""
    is_asked: bool = True


def ask() -> list[Package] | None:
    """What a service on the network says of each package; None where none could be asked."""
    for service in SERVICES:
        found = _ask(service)
        if found is not None and any(package.is_asked for package in found):
            return found
    return None


def _ask(service: str) -> list[Package] | None:
    command = [
        sys.executable, "-m", "pip_audit", "--local", "--skip-editable", "--vulnerability-service", service,
        "--format", "json", "--progress-spinner", "off",
    ]  # fmt: skip
    try:
        done = subprocess.run(  # noqa: S603 - our own command
            command, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
        dependencies: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return None
    return [
        Package(
            each["name"],
            each.get("version", ""),
            tuple((fault["id"], tuple(fault["fix_versions"])) for fault in each.get("vulns") or ()),
            is_asked="skip_reason" not in each,
        )
        for each in dependencies
        if each["name"] != OWN
    ]


def look_up(export: Path) -> list[Package]:
    """What an export of OSV says of each installed package."""
    installed = {
        canonicalize_name(each.metadata["Name"]): each.version
        for each in distributions()
        if each.metadata["Name"] != OWN
    }
    faults: dict[str, dict[str, tuple[str, ...]]] = {name: {} for name in installed}
    for advisory in _advisories(export):
        for affected in advisory.get("affected", ()):
            package = affected.get("package", {})
            name = canonicalize_name(package.get("name", ""))
            is_meant = package.get("ecosystem") == "PyPI" and name in installed and "withdrawn" not in advisory
            if is_meant and is_affected(affected, installed[name]):
                faults[name][advisory["id"]] = tuple(_fixes(affected))
    return [Package(name, version, tuple(faults[name].items())) for name, version in sorted(installed.items())]


def _advisories(export: Path) -> Iterator[Mapping[str, Any]]:
    with zipfile.ZipFile(export) as archive:
        for name in archive.namelist():
            if name.endswith(".json"):
                yield json.loads(archive.read(name))


def is_affected(affected: Mapping[str, Any], version: str) -> bool:
    """Whether an advisory's entry of a package means this version: listed, or within a range (OSV schema 1.6)."""
    if version in affected.get("versions", ()):
        return True
    ranges = (each for each in affected.get("ranges", ()) if each.get("type") == "ECOSYSTEM")
    return any(_is_within(each.get("events", ()), version) for each in ranges)


def _is_within(events: Iterable[Mapping[str, str]], version: str) -> bool:
    """Whether the last event at or before the version leaves it affected."""
    is_in = False
    for event in events:  # in ascending order, as the schema asks
        (kind, at), *_ = event.items()
        try:
            has_come = at == "0" or Version(version) >= Version(at)
            is_past = Version(version) > Version(at) if at != "0" else True
        except InvalidVersion:
            continue
        if kind == "introduced" and has_come:
            is_in = True
        elif (kind == "fixed" and has_come) or (kind == "last_affected" and is_past):
            is_in = False
    return is_in


def _fixes(affected: Mapping[str, Any]) -> Iterator[str]:
    return (event["fixed"] for each in affected.get("ranges", ()) for event in each["events"] if "fixed" in event)


def tell(found: list[Package]) -> int:
    """Print what was found; 1: something that is not accepted."""
    faults = [
        (package, name, fixes) for package in found for name, fixes in package.faults if name not in ACCEPTED
    ]  # fmt: skip
    for package, name, fixes in faults:
        mended = ", ".join(fixes) or "no version yet"
        print(f"{package.name} {package.version}: {name}, fixed in {mended}", file=sys.stderr)
    unasked = [package.name for package in found if not package.is_asked]
    if unasked:
        print(f"Nothing could be said of {', '.join(unasked)}.", file=sys.stderr)
    if not faults:
        print(f"{len(found) - len(unasked)} packages: no known vulnerability.")
    return int(bool(faults))


def main() -> int:
    """0: nothing found, or nobody to ask; 1: something found, or an audit is required and nobody could be asked."""
    named = os.environ.get("OCTAUDIT_AUDIT_DATABASE")
    if named:
        export = Path(named)
        if not zipfile.is_zipfile(export):
            print(f"{export} is no export of OSV: name its all.zip for PyPI.", file=sys.stderr)
            return 1
        age_days = (time.time() - export.stat().st_mtime) / 86400
        if age_days > OLD_DAYS:
            print(f"The export is {age_days:.0f} days old: bring a newer one.", file=sys.stderr)
        return tell(look_up(export))
    found = ask()
    if found is None:
        print(NOBODY, file=sys.stderr)
        return int(os.environ.get("OCTAUDIT_AUDIT_REQUIRED") == "1")
    return tell(found)


if __name__ == "__main__":
    sys.exit(main())
