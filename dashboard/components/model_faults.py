"""Models that a worker cannot load, as the workers tell of them: words from frozen values."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from core.store.model_version import ModelRow
from core.store.worker_process import ProcessView
from dashboard.components.markup import Html, tag

FAULTS_OF = timedelta(minutes=2)
"""A worker that was silent for longer tells of the past."""


def loading_faults(processes: Sequence[ProcessView]) -> dict[int, str]:
    """Model versions that a running worker wants and cannot load, and why."""
    running = (process for process in processes if process.ended_at is None)
    return {
        int(each["version_id"]): str(each["fault"]) for process in running for each in process.facts.get("faults", ())
    }


def fault_words(faults: Mapping[int, str], models: Sequence[ModelRow]) -> Html:
    """One sentence for each such model."""
    labels = {each.id: each.label for each in models}
    lines = (
        tag("li", f"{labels.get(id_, f'Version {id_}')} cannot be loaded, so its scans wait: {why}")
        for id_, why in sorted(faults.items())
    )
    return tag("div", tag("b", "A worker lacks a model"), tag("ul", *lines), class_="verdict", role="status")
