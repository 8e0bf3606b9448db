"""The API as an ASGI application, mounted at /api/v1: one router per topic, one error document, one schema.

Thin: every route calls the function that the page of the same content calls, or one use case. Documentation pages are
off, because theirs load from another host; the schema is at openapi.json and the guide is docs/api.md.
"""

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.api.answers import REFUSALS
from dashboard.api.errors import install_error_handlers
from dashboard.api.limit import OnceAnHour, RequestLimit
from dashboard.api.routers import (
    administration,
    audit,
    bulk,
    captures,
    certificates,
    decisions,
    grading,
    masks,
    models,
    outlines,
    performance,
    places,
    planning,
    previews,
    quality,
    queue,
    rates,
    re_evaluations,
    report_requests,
    reports,
    scans,
    session,
    unit_record,
    uploads,
    volumes,
    watch,
    work,
)
from dashboard.installation import Installation

ROUTERS: tuple[APIRouter, ...] = (
    session.router,
    places.router,
    certificates.router,
    planning.router,
    re_evaluations.router,
    scans.router,
    captures.router,
    volumes.router,
    decisions.router,
    bulk.router,
    previews.router,
    rates.router,
    unit_record.router,
    quality.router,
    outlines.router,
    grading.router,
    watch.router,
    work.router,
    performance.router,
    uploads.router,
    reports.router,
    report_requests.router,
    queue.router,
    masks.router,
    models.router,
    administration.router,
    audit.router,
)
TAGS = [
    {"name": "session", "description": "Who calls."},
    {"name": "places", "description": "Studies, sites, devices, technicians, protocol and model versions."},
    {"name": "scans", "description": "Scans with assessment and history, images, worklist, examples; decisions."},
    {"name": "rates", "description": "Rates of the overview, of units against funnel limits, and over time."},
    {"name": "quality", "description": "Causes of failure, FAZ, agreement of model and people."},
    {"name": "watch", "description": "Drift of images and scores, calibration, model versions."},
    {"name": "work", "description": "Requests for new scans, questions to sites, actions, alerts."},
    {"name": "uploads", "description": "Batches from draft to receipt."},
    {"name": "reports", "description": "Reports as PDF, schedules, results to take away."},
    {"name": "queue", "description": "What waits to be scored, and what could not be."},
    {"name": "masks", "description": "Masks to draw next for training: rounds, their images, what came back."},
    {"name": "administration", "description": "Accounts, roles, clients of the API."},
    {"name": "audit", "description": "Who changed what, when and why."},
]
ABOUT = (
    "Everything that a page of octaudit shows. Call it with a person's session or with a program's token "
    "(`Authorization: Bearer octa...`). Rows of sites that the caller has no role for do not exist here: they are "
    "absent from lists and answered with 404. Numbers carry their unit in their name; what could not be computed is "
    "null with the reason beside it. Lists that grow are paged: give `next` back as `after`."
)


def build_api(installation: Installation) -> FastAPI:
    """The API over an opened installation. Expects the gate to have put actor and token into the state."""
    api = FastAPI(
        title="octaudit",
        version="1",
        description=ABOUT,
        docs_url=None,
        redoc_url=None,
        openapi_tags=TAGS,
        responses=REFUSALS,
        generate_unique_id_function=_operation_id,
        redirect_slashes=False,
        # Below the mount: the schema's paths are relative to it.
        servers=[{"url": "/api/v1"}],
        root_path_in_servers=False,
    )
    api.state.installation = installation
    api.state.limit = RequestLimit(installation.settings.api_requests_per_minute)
    api.state.refusals = OnceAnHour()
    install_error_handlers(api)
    api.add_middleware(NoStore)
    for router in ROUTERS:
        api.include_router(router)
    return api


class NoStore:
    """ASGI middleware: no answer is kept by a cache on the way unless its route says how."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, with Cache-Control."""

        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_header)


def _operation_id(route: APIRoute) -> str:
    """The function's name: short, stable, and what generated clients call their methods."""
    return route.name
