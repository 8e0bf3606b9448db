"""Make the first administrator of a new installation; does nothing once there is any account."""

from core.database.roles import DatabaseRole
from core.database.session import open_database, session_scope
from core.settings import Settings
from core.store.access import PROGRAM, list_accounts
from core.usecases.administer_users import FirstLogin, add_user, grant_role
from core.vocabulary import Role

FIRST_NAME = "admin"


def create_first_login(settings: Settings) -> FirstLogin | None:
    """The first administrator with a generated password; None where somebody can log in already."""
    with open_database(settings, DatabaseRole.OWNER) as database, session_scope(database) as session:
        if list_accounts(session):
            return None
        login = add_user(session, actor=PROGRAM, name=FIRST_NAME, display_name="Administrator")
        grant_role(session, actor=PROGRAM, user_id=login.user_id, role=Role.ADMIN, study_id=None)
        return login
