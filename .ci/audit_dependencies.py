"""Ask a database of known vulnerabilities about every package of the environment; fail on a finding.

Where no database answers (a machine without a network) the run goes on and says that nothing was audited; with
OCTAUDIT_AUDIT_REQUIRED=1, as in a pipeline that has a network, that is a failure, too.
"""

import json
import os
import subprocess
import sys

ACCEPTED: dict[str, str] = {}
"""Vulnerability -> why it does not concern octaudit, and until when that was looked at."""
PATIENCE_S = 300


def ask() -> list[dict[str, object]] | None:
    """What the database says of each package; None where it could not be asked."""
    ignored = [argument for known in ACCEPTED for argument in ("--ignore-vuln", known)]
    command = [
        sys.executable, "-m", "pip_audit", "--local", "--skip-editable", "--vulnerability-service", "osv",
        "--format", "json", "--progress-spinner", "off", *ignored,
    ]  # fmt: skip
    try:
        done = subprocess.run(  # noqa: S603 - our own command
            command, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
        dependencies: list[dict[str, object]] = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return None
    return dependencies


def main() -> int:
    """0: nothing found, or nobody to ask; 1: something found."""
    found = ask()
    if found is None:
        print(
            "Dependencies were NOT audited: no database of vulnerabilities could be asked from here.", file=sys.stderr
        )
        return int(os.environ.get("OCTAUDIT_AUDIT_REQUIRED") == "1")
    faults = [(package, fault) for package in found for fault in package.get("vulns") or ()]  # type: ignore[attr-defined]
    for package, fault in faults:
        fixed = ", ".join(fault["fix_versions"]) or "no version yet"
        print(f"{package['name']} {package['version']}: {fault['id']}, fixed in {fixed}", file=sys.stderr)
    if not faults:
        print(f"{len(found)} packages: no known vulnerability.")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
