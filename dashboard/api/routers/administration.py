"""Accounts, roles, and clients of the API, for administrators."""

from fastapi import APIRouter

from core.store.access import list_accounts, list_grants
from core.store.api_client import list_clients, list_tokens
from core.vocabulary import Role
from dashboard.api.documents.administration import AccountDocument, ClientDocument, GrantDocument, TokenDocument
from dashboard.api.documents.base import Listing
from dashboard.api.guard import AdministrationReader

router = APIRouter(tags=["administration"])

ADMINISTRATORS = frozenset({Role.ADMIN})


@router.get("/accounts")
def list_users(caller: AdministrationReader) -> Listing[AccountDocument]:
    """The people whom this administrator may see."""
    caller.require_role(ADMINISTRATORS)
    with caller.open_session() as session:
        return Listing(items=[AccountDocument.model_validate(each) for each in list_accounts(session)])


@router.get("/grants")
def list_roles(caller: AdministrationReader) -> Listing[GrantDocument]:
    """Their roles in the studies that this administrator administers, ended ones included."""
    caller.require_role(ADMINISTRATORS)
    with caller.open_session() as session:
        return Listing(items=[GrantDocument.model_validate(each) for each in list_grants(session)])


@router.get("/api-clients")
def list_api_clients(caller: AdministrationReader) -> Listing[ClientDocument]:
    """The programs that may call the API in those studies. They are made on the page Admin, by a person."""
    caller.require_role(ADMINISTRATORS)
    with caller.open_session() as session:
        return Listing(items=[ClientDocument.model_validate(each) for each in list_clients(session)])


@router.get("/api-tokens")
def list_api_tokens(caller: AdministrationReader) -> Listing[TokenDocument]:
    """Their tokens: beginning, expiry, last use."""
    caller.require_role(ADMINISTRATORS)
    with caller.open_session() as session:
        return Listing(items=[TokenDocument.model_validate(each) for each in list_tokens(session)])
