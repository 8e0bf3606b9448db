"""Writes the figures of a command to the file that its option ``--json`` names."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel


def write_figures(path: Path | None, figures: "BaseModel | dict[str, Any] | list[dict[str, Any]]") -> None:
    """Write ``figures`` to ``path`` as JSON, with its folder; nothing where it is None."""
    if path is None:
        return
    text = json.dumps(figures, indent=1) if isinstance(figures, dict | list) else figures.model_dump_json(indent=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")
