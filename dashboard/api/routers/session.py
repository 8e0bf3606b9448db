"""Who calls the API."""

from fastapi import APIRouter, Request

from core.usecases.log_in import csrf_token_for
from dashboard.api.documents.uploads import SessionDocument
from dashboard.api.guard import AnyCaller

router = APIRouter(tags=["session"])


@router.get("/session")
def read_session(request: Request, caller: AnyCaller) -> SessionDocument:
    """Who calls, a program's scopes, and the token that a person's changing requests carry in X-Octaudit-CSRF."""
    client = caller.client
    return SessionDocument(
        name=caller.actor.name,
        csrf_token=None if client else csrf_token_for(request.state.session_token),
        client=client.name if client else None,
        scopes=sorted(client.scopes) if client else [],
    )
