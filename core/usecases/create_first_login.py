"""Make the first administrator of a new installation; does nothing once somebody administers all studies."""

from sqlalchemy.orm import Session

from core.database.roles import DatabaseRole
from core.database.session import open_database, session_scope
from core.settings import Settings
from core.store.access import PROGRAM, list_grants
from core.usecases.administer_users import FirstLogin, add_user, grant_role
from core.vocabulary import Role

FIRST_NAME = "admin"


def create_first_login(settings: Settings) -> FirstLogin | None:
    """The first administrator with a generated password; None where there is one already."""
    with open_database(settings, DatabaseRole.OWNER) as database, session_scope(database) as session:
        if _has_administrator(session):
            return None
        login = add_user(session, actor=PROGRAM, name=FIRST_NAME, display_name="Administrator")
        grant_role(session, actor=PROGRAM, user_id=login.user_id, role=Role.ADMIN, study_id=None)
        return login


def _has_administrator(session: Session) -> bool:
    """Whether anybody was ever made administrator of all studies; a right lost since is for `octaudit user` to cure."""
    return any(line.grant.role is Role.ADMIN and line.grant.study_id is None for line in list_grants(session))
