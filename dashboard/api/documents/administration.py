"""Accounts, roles, and clients of the API: what the page Admin lists beside places."""

from datetime import datetime

from pydantic import AliasPath, Field

from core.vocabulary import ApiScope, Role
from dashboard.api.documents.base import Document


class AccountDocument(Document):
    """One person's account."""

    user_id: int
    name: str
    display_name: str
    created_at: datetime
    disabled_at: datetime | None
    locked_until: datetime | None
    must_change_password: bool
    last_seen_at: datetime | None = Field(description="Null: never signed in.")


class GrantDocument(Document):
    """A role of one person."""

    grant_id: int
    user_id: int
    role: Role = Field(validation_alias=AliasPath("grant", "role"))
    study_id: int | None = Field(validation_alias=AliasPath("grant", "study_id"), description="Null: every study.")
    site_id: int | None = Field(validation_alias=AliasPath("grant", "site_id"), description="Null: all its sites.")
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class ClientDocument(Document):
    """One program that calls the API."""

    id: int
    name: str
    owner_name: str
    scopes: list[ApiScope]
    roles: list[Role]
    study_id: int | None
    site_id: int | None
    created_at: datetime
    ended_at: datetime | None
    is_owner_able: bool = Field(description="False: no token works, because the owner may not give such roles now.")


class TokenDocument(Document):
    """One token, without the token."""

    id: int
    client_id: int
    prefix: str = Field(description="How the token begins.")
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="Right to a minute; null: never.")
