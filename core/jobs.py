"""Names and payloads of queued jobs. Knows no Celery. A message carries no work, only "there is work for a lane"."""

from core.vocabulary import ScanKind

SCORE_LANE = "octaudit.score_lane"
"""Payload: {"lane": ScanKind value}. The worker then claims queued scans of that lane from the database."""


def lane_queue(lane: ScanKind) -> str:
    """The Celery queue that carries a lane's messages."""
    return f"octaudit.{lane.value}"
