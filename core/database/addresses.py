"""Which URL a database role connects with: its setting, else the embedded server's file. Connects to nothing."""

from collections.abc import Mapping

from pydantic import SecretStr
from sqlalchemy import URL, make_url

from core.database.embedded.addresses import ADMIN_USER, read_addresses
from core.database.roles import DatabaseRole
from core.errors import SettingsError
from core.settings import Settings


def database_url(settings: Settings, role: DatabaseRole) -> URL:
    """The URL for a role: from its setting, else from the embedded server's file in the home."""
    given = _given_urls(settings)
    secret = given[role]
    if secret is not None:
        return _checked(secret, f"OCTAUDIT_DATABASE_{role.name}_URL", user=role.value)
    if any(url is not None for url in given.values()):
        raise SettingsError(
            f"OCTAUDIT_DATABASE_{role.name}_URL is not set, but another role's URL is.",
            remedy="Set the URL of every role this process needs, or none of them for the embedded server.",
        )
    return read_addresses(settings.home).database_url(role.value)


def admin_url(settings: Settings) -> URL:
    """The URL that may create roles and databases."""
    if settings.database_admin_url is not None:
        return _checked(settings.database_admin_url, "OCTAUDIT_DATABASE_ADMIN_URL", user=None)
    if settings.database_owner_url is not None:
        raise SettingsError(
            "OCTAUDIT_DATABASE_ADMIN_URL is not set.",
            remedy="Give the URL of a PostgreSQL role that may create roles and databases; only this step needs it.",
        )
    return read_addresses(settings.home).database_url(ADMIN_USER, "postgres")


def configured_roles(settings: Settings) -> tuple[DatabaseRole, ...]:
    """The roles whose URLs this process knows: those that are set, or all of them with the embedded server."""
    given = tuple(role for role, url in _given_urls(settings).items() if url is not None)
    return given or tuple(DatabaseRole)


def _given_urls(settings: Settings) -> Mapping[DatabaseRole, SecretStr | None]:
    return {
        DatabaseRole.OWNER: settings.database_owner_url,
        DatabaseRole.DASHBOARD: settings.database_dashboard_url,
        DatabaseRole.WORKER: settings.database_worker_url,
        DatabaseRole.SEALER: settings.database_sealer_url,
    }


def _checked(secret: SecretStr, variable: str, *, user: str | None) -> URL:
    url = make_url(secret.get_secret_value())
    if url.drivername != "postgresql+psycopg":
        raise SettingsError(
            f"{variable} starts with {url.drivername}://.", remedy="It must start with postgresql+psycopg://."
        )
    if user is not None and url.username != user:
        raise SettingsError(
            f"{variable} names the user {url.username}.",
            remedy=f"The policies in the database name {user}; `octaudit database init` makes that user.",
        )
    return url
