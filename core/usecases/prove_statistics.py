"""Proves the statistics of rates by simulation, and words the figures as the tables of docs/statistics.md."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.statistics.proof.coverage import coverage
from core.statistics.proof.flags import discoveries, false_flags, power
from core.statistics.proof.programmes import N_SITES, USUAL_RATE
from core.statistics.proof.run_lengths import run_lengths
from core.statistics.proof.shifts import drifts

NOMINAL_PERCENT = 95.0
COVERAGE_TOLERANCE = 1.5
FALSE_FLAGS_ASKED = 0.25
POWER_ASKED = {0.0: 85.0, 0.3: 75.0, 0.5: 60.0}
"""What the project asks of the funnel: percent of healthy sites, and percent of bad sites by correlation."""

FULL = 100
"""``effort`` at which chance leaves no doubt about a target."""

Record = dict[str, list[dict[str, Any]]]
Rows = Sequence[Mapping[str, Any]]


def prove_statistics(*, effort: int = FULL, seed: int = 0, on_part: Callable[[str], None] = lambda _: None) -> Record:
    """All simulations; ``effort`` 100 takes about a minute and a half of one core, 1 is only good for a test.

    ``on_part`` is told the name of each part before it begins.
    """
    parts: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "false_flags": lambda: false_flags(20 * effort, seed),
        "power": lambda: power(10 * effort, seed),
        "discoveries": lambda: discoveries(max(2 * effort // 5, 2), seed),
        "coverage": lambda: coverage(effort, seed),
        "run_lengths": lambda: run_lengths(4 * effort, seed),
        "drifts": lambda: drifts(2 * effort, seed),
    }
    record: Record = {}
    for name, simulate in parts.items():
        on_part(name)
        record[name] = [{key: _short(value) for key, value in row.items()} for row in simulate()]
    return record


def _short(value: object) -> object:
    return float(f"{value:.5g}") if isinstance(value, float) else value


def tables(record: Mapping[str, Rows]) -> dict[str, str]:
    """Every part as a Markdown table, and what was asked against what was found."""
    words = {
        "false_flags": _false_flags,
        "power": _power,
        "discoveries": _discoveries,
        "coverage": _coverage,
        "run_lengths": _run_lengths,
        "drifts": _drifts,
    }
    return {"asked": _asked(record), **{name: word(record[name]) for name, word in words.items()}}


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _asked(record: Mapping[str, Rows]) -> str:
    usual = [row for row in record["false_flags"] if row["rate"] == USUAL_RATE and row["n_sites"] == N_SITES]
    worst = max(row["false_percent"] for row in usual)
    rows = [["False flags per healthy site at the 99.8 % line", f"at most {FALSE_FLAGS_ASKED} %", f"{worst:.2f} %"]]
    verdicts = [worst <= FALSE_FLAGS_ASKED]
    for row in record["power"]:
        if row["n_sites"] == N_SITES and row["correlation"] in POWER_ASKED:
            asked = POWER_ASKED[row["correlation"]]
            rows.append([f"Power, correlation {row['correlation']:g}", f"at least {asked:.0f} %", _power_text(row)])
            verdicts.append(row["power_percent"] >= asked)
    gaps = [abs(row["coverage_percent"] - NOMINAL_PERCENT) for row in record["coverage"] if _is_claimed(row)]
    rows.append(["Coverage of every 95 % interval", f"within {COVERAGE_TOLERANCE} points", f"off by {max(gaps):.1f}"])
    verdicts.append(max(gaps) <= COVERAGE_TOLERANCE)
    marked = [[*row, "yes" if is_met else "**no**"] for row, is_met in zip(rows, verdicts, strict=True)]
    return _table(["what", "asked", "found (worst case)", "met"], marked)


def _power_text(row: Mapping[str, Any]) -> str:
    return f"{row['power_percent']:.1f} % ± {row['error_percent']:.1f}"


def _is_claimed(row: Mapping[str, Any]) -> bool:
    """Whether the interval claims its nominal coverage: not the wrong one for comparison, nor the one of at least."""
    return "(" not in row["interval"]


def _false_flags(rows: Rows) -> str:
    head = [
        "sites",
        "rate",
        "correlation",
        "why captures of a visit are alike",
        "sites judged",
        "flagged at 99.8 %",
        "naive limits",
        "Spiegelhalter's interpolation",
        "beyond 95 %",
        "correlation found",
    ]
    return _table(
        head,
        [
            [
                f"{row['n_sites']}",
                f"{row['rate']:.0%}",
                f"{row['correlation']:g}",
                row["mechanism"],
                f"{row['n_judged']}",
                f"{row['false_percent']:.2f} %",
                f"{row['naive_percent']:.2f} %",
                f"{row['published_percent']:.2f} %",
                f"{row['warning_percent']:.1f} %",
                f"{row['correlation_found']:.2f}",
            ]
            for row in rows
        ],
    )


def _power(rows: Rows) -> str:
    head = ["sites", "correlation", "programmes", "bad site is red", "other sites flagged", "bad site, Spiegelhalter's"]
    return _table(
        head,
        [
            [
                f"{row['n_sites']}",
                f"{row['correlation']:g}",
                f"{row['n_programmes']}",
                _power_text(row),
                f"{row['others_percent']:.2f} %",
                f"{row['published_percent']:.1f} %",
            ]
            for row in rows
        ],
    )


def _discoveries(rows: Rows) -> str:
    head = ["correlation", "rule", "healthy among the flagged", "bad units found"]
    return _table(
        head,
        [
            [
                f"{row['correlation']:g}",
                row["rule"],
                f"{row['false_share_percent']:.1f} %",
                f"{row['found_percent']:.0f} %",
            ]
            for row in rows
        ],
    )


def _coverage(rows: Rows) -> str:
    head = ["interval (95 %)", "setting", "intervals", "coverage"]
    return _table(
        head,
        [
            [
                row["interval"],
                row["setting"],
                f"{row['n_intervals']}",
                f"{row['coverage_percent']:.1f} % ± {row['error_percent']:.1f}",
            ]
            for row in rows
        ],
    )


def _run_lengths(rows: Rows) -> str:
    head = [
        "chart",
        "points to a false signal",
        "points to the signal after the change",
        "false signal within 52 points, centre known",
        "baseline of 25 points",
        "baseline of 100 points",
        "the same, rates scatter from point to point",
    ]
    return _table(
        head,
        [
            [
                row["chart"],
                f"{row['in_control']:.0f}",
                f"{row['after_change']:.1f}",
                *(
                    f"{row[f'false_in_a_year_{name}_percent']:.0f} %"
                    for name in ("known", "baseline_25", "baseline_100", "restless")
                ),
            ]
            for row in rows
        ],
    )


def _drifts(rows: Rows) -> str:
    head = ["scans of the device", "shift, s.d.", "devices", "moderate", "major"]
    return _table(
        head,
        [
            [
                f"{row['n_scans']}",
                f"{row['shift_sd']:g}",
                f"{row['n_devices']}",
                f"{row['moderate_percent']:.1f} %",
                f"{row['major_percent']:.1f} %",
            ]
            for row in rows
        ],
    )
