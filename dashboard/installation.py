"""What the dashboard process stands on: settings, database, blobs and bell, opened once. Holds no page."""

from dataclasses import dataclass

from streamlit.runtime.pages_manager import PagesManager

from core.broker import Bell
from core.database.session import Database
from core.settings import Settings
from core.storage import BlobStore


@dataclass(frozen=True, slots=True)
class Installation:
    """The opened parts that pages and routes share; ``database`` is the role's that row-level security holds."""

    settings: Settings
    database: Database
    blobs: BlobStore
    bell: Bell


_installed: list[Installation] = []


def install(installation: Installation) -> None:
    """Make ``installation`` the one this process works with; the latest call wins, so that tests can replace it."""
    _installed[:] = [installation]
    # Streamlit takes a folder named pages for its older scheme of pages until st.navigation has run once, and would
    # run the first deep link of a process without app.py, hence without asking who is there.
    PagesManager.uses_pages_directory = False


def installation() -> Installation:
    """The parts this process works with.

    Streamlit runs page scripts without arguments, in threads of this very process; that is why they are found
    here and not passed.
    """
    if not _installed:
        raise RuntimeError("The dashboard's parts are not set up. Start it with `python -m dashboard.server`.")
    return _installed[0]
