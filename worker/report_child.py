"""Makes one report in a process of its own, so that a study too large for memory ends no other duty of the keeper.

``python -m worker.report_child REPORT_ID`` is the child, with the keeper's environment. Whatever it cannot make it
writes down itself; what ends it, the keeper writes down.
"""

import logging
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from core.database.roles import DatabaseRole
from core.database.session import Database, open_database, session_scope
from core.settings import load_settings
from core.storage import open_blob_store
from core.store.report import record_not_made
from core.supervision.tether import tethered

LONGEST = timedelta(minutes=10)
"""Far beyond what a report takes; the next try comes by itself."""
_FIRST_TO_END = "1000"
"""For the kernel, where memory is short: this process rather than the keeper or the database (Linux)."""
_OWN_NAME = "worker.report_child"
_LOG = logging.getLogger(__name__)


def make_apart(database: Database, report_id: int, *, longest: timedelta = LONGEST) -> bool:
    """Have the child make a report that was claimed; False, with the reason in its row, where it did not end in order.

    Call it from a thread that lives until it returns: the kernel ties the child to that.
    """
    command = tethered([sys.executable, "-m", _OWN_NAME, str(report_id)], stop_signal=signal.SIGKILL)
    try:
        ended = subprocess.run(  # noqa: S603 - our own program, no shell
            command, stdin=subprocess.DEVNULL, timeout=longest.total_seconds(), check=False
        )
    except subprocess.TimeoutExpired:
        why = f"Making it took longer than {longest.total_seconds() / 60:g} minutes."
    else:
        if ended.returncode == 0:
            return True
        why = f"The process that made it ended with {ended.returncode}, perhaps for want of memory."
    _LOG.error("Report %d: %s", report_id, why)
    with session_scope(database) as session:
        record_not_made(session, report_id, why=why)
    return False


def main() -> None:
    """Be the child."""
    from core.reports.make_report import make_claimed  # noqa: PLC0415 - the keeper itself needs no fonts and no charts

    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_END, encoding="ascii")
    settings = load_settings()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with open_database(settings, DatabaseRole.WORKER) as database:
        make_claimed(database, open_blob_store(settings), int(sys.argv[1]))


if __name__ == "__main__":
    main()
