"""Draft a migration from the difference between the tables and a freshly migrated database of its own.

``make migration m="Add the column x"``. The draft is a start: read it, name it, write what autogenerate does not see
(policies, grants, functions) and its downgrade.
"""

import sys
import tempfile
from pathlib import Path

from alembic import command

from core.database.embedded import embedded_servers
from core.database.initialise import initialise_database
from core.database.migrate import alembic_config, upgrade
from core.database.roles import DatabaseRole
from core.database.session import open_database
from core.settings import load_settings

FILE_NAMES = "%%(year)d-%%(month).2d-%%(day).2d-%%(hour).2d%%(minute).2d_%%(slug)s"
"""As in pyproject.toml, which the program's own configuration does not read."""


def main() -> int:
    """Write the draft and print its path."""
    with tempfile.TemporaryDirectory(prefix="octaudit-migration-") as folder:
        home = Path(folder)
        home.chmod(0o711)  # as root the database runs under an account of its own
        with embedded_servers(home):
            settings = load_settings(home=home)
            initialise_database(settings)
            upgrade(settings)
            config = alembic_config()
            config.set_main_option("file_template", FILE_NAMES)
            with open_database(settings, DatabaseRole.OWNER) as database:
                config.attributes["engine"] = database.engine
                command.revision(config, sys.argv[1], autogenerate=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
