"""/healthz for load balancers and /metrics for Prometheus. Carries no scan, subject or site."""

import hmac
import time
from collections.abc import Sequence
from datetime import datetime

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.clock import now
from core.database.session import session_scope
from core.store.access import current_actor
from core.store.queue_state import LaneState, read_totals
from core.vocabulary import Role
from dashboard.gate import cookie_token, session_cookie_name
from dashboard.installation import Installation
from dashboard.session import actor_of

REQUESTS = Counter("octaudit_http_requests_total", "HTTP requests by area and status", ["area", "status"])
SECONDS = Histogram("octaudit_http_request_seconds", "Seconds to answer an HTTP request", ["area"])
OPEN_PAGES = Gauge("octaudit_open_pages", "Browser tabs connected by websocket")
SIGN_IN_FAILURES = Counter("octaudit_sign_in_failures_total", "Refused sign-ins")

_AREAS = ("api", "scans", "login", "logout", "static", "healthz", "metrics")


class Meter:
    """ASGI middleware that counts and times; the label is the path's first part, never an id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note how it went."""
        if scope["type"] == "websocket":
            with OPEN_PAGES.track_inprogress():
                await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        first = scope["path"].split("/", 2)[1]
        area = first if first in _AREAS else "page"
        began_s = time.perf_counter()

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                REQUESTS.labels(area, message["status"]).inc()
                SECONDS.labels(area).observe(time.perf_counter() - began_s)
            await send(message)

        await self._app(scope, receive, send_counted)


def _queue_registry(lanes: Sequence[LaneState], *, at: datetime) -> CollectorRegistry:
    """The numbers of the page Queue over all sites, as gauges of this moment."""
    registry = CollectorRegistry()
    scans = Gauge("octaudit_queue_scans", "Scans by lane and state", ["lane", "state"], registry=registry)
    oldest = Gauge("octaudit_queue_oldest_seconds", "Age of the oldest open scan", ["lane"], registry=registry)
    scored = Gauge("octaudit_scored_last_hour", "Scans scored within the hour", ["lane"], registry=registry)
    for lane in lanes:
        counts = {
            "ready": lane.n_ready, "postponed": lane.n_postponed, "scoring": lane.n_scoring, "tried": lane.n_tried,
            "failed": lane.n_failed, "quarantined": lane.n_quarantined,
        }  # fmt: skip
        for state, n in counts.items():
            scans.labels(lane.lane.value, state).set(n)
        oldest.labels(lane.lane.value).set((at - lane.oldest_at).total_seconds() if lane.oldest_at else 0)
        scored.labels(lane.lane.value).set(lane.n_scored_last_hour)
    return registry


def monitoring_routes(installation: Installation) -> list[BaseRoute]:
    """The two routes, for this installation's database and metrics token."""
    settings = installation.settings

    def ask_database() -> None:
        with session_scope(installation.database) as session:
            current_actor(session)

    async def healthz(_: Request) -> Response:
        try:
            await run_in_threadpool(ask_database)
        except Exception:  # noqa: BLE001 - whatever went wrong, the answer is "not healthy"
            return JSONResponse({"status": "no database"}, status_code=503)
        return JSONResponse({"status": "ok"})

    def may_read(request: Request) -> bool:
        if settings.metrics_token is not None:
            expected = f"Bearer {settings.metrics_token.get_secret_value()}"
            if hmac.compare_digest(request.headers.get("authorization", "").encode(), expected.encode()):
                return True
        token = cookie_token(request.headers, session_cookie_name(settings))
        actor = actor_of(installation.database, token) if token else None
        return actor is not None and actor.has_role(Role.ADMIN)

    def latest() -> bytes:
        with session_scope(installation.database) as session:
            lanes = read_totals(session)
        return generate_latest() + generate_latest(_queue_registry(lanes, at=now()))

    async def metrics(request: Request) -> Response:
        if not await run_in_threadpool(may_read, request):
            text = "Metrics are for administrators, or for OCTAUDIT_METRICS_TOKEN as a bearer token.\n"
            return PlainTextResponse(text, status_code=403)
        return Response(await run_in_threadpool(latest), media_type=CONTENT_TYPE_LATEST)

    return [Route("/healthz", healthz), Route("/metrics", metrics)]
