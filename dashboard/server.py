"""The dashboard's one ASGI server: gate, sign-in form, images, upload API and pages under uvicorn.

`python -m dashboard.server` starts it; `octaudit up` starts the same module as a child process.
"""

import asyncio
import gc
import importlib
import logging
import pkgutil
from pathlib import Path

import streamlit as st
import uvicorn
from altair.utils.schemapi import disable_debug_mode
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

import core.charts
import dashboard.components
from core.broker import open_bell
from core.database.roles import DatabaseRole
from core.database.session import open_database
from core.settings import Settings, load_settings
from core.storage import open_blob_store
from core.usecases.administer_clients import find_caller
from dashboard.api.app import build_api
from dashboard.body_limit import BodyLimit
from dashboard.content_policy import start_page
from dashboard.dicom_results import dicom_routes
from dashboard.downloads import download_routes
from dashboard.gate import Gate
from dashboard.images import image_routes
from dashboard.installation import Installation, install
from dashboard.login.oidc import oidc_routes
from dashboard.login.password import password_routes
from dashboard.login.routes import login_routes
from dashboard.monitoring import Meter, monitoring_routes
from dashboard.navigation import PAGES
from dashboard.session import actor_of, is_live
from dashboard.volume_images import volume_routes

FOLDER = Path(__file__).resolve().parent


def open_installation(settings: Settings) -> Installation:
    """Open database, blobs and bell; refuses a database role that row-level security does not hold."""
    return Installation(
        settings=settings,
        database=open_database(settings, DatabaseRole.DASHBOARD),
        blobs=open_blob_store(settings),
        bell=open_bell(settings),
    )


def build_app(installation: Installation) -> ASGIApp:
    """The ASGI application over an opened installation, which becomes this process's own."""
    install(installation)
    return st.App(FOLDER / "app.py", routes=own_routes(installation), middleware=own_middleware(installation))


def own_routes(installation: Installation) -> list[BaseRoute]:
    """Everything that is answered beside Streamlit's pages."""
    return [
        *login_routes(installation),
        *oidc_routes(installation),
        *password_routes(installation),
        *monitoring_routes(installation),
        *image_routes(installation),
        *volume_routes(installation),
        *download_routes(installation),
        *dicom_routes(installation),
        *_brand_routes(),
        *_index_routes(),
        Mount("/api/v1", app=build_api(installation)),
    ]


def own_middleware(installation: Installation) -> list[Middleware]:
    """What every request passes first: the meter, the gate, then the limit of its body."""
    database = installation.database
    gate = Middleware(
        Gate,
        settings=installation.settings,
        find_actor=lambda token: actor_of(database, token),
        find_caller=lambda token: find_caller(database, token),
        is_live=lambda token: is_live(database, token),
    )
    return [Middleware(Meter), gate, Middleware(BodyLimit)]


def serve(settings: Settings) -> None:
    """Serve until told to stop (SIGINT, SIGTERM)."""
    disable_debug_mode()  # altair's check of every mark against its schema; tests have it
    app = build_app(open_installation(settings))
    _load_page_parts()
    _spare_collections()
    config = uvicorn.Config(
        app,
        host=settings.dashboard_host,
        port=settings.dashboard_port,
        log_level=settings.log_level.lower(),
        access_log=False,  # the meter counts; addresses with names of filters belong in no log
        server_header=False,
        ws_max_size=16 * 2**20,
        timeout_graceful_shutdown=5,
    )
    asyncio.run(uvicorn.Server(config).serve())


def _load_page_parts() -> None:
    """Import what pages are made of before the first person waits for it: statistics and charts take seconds."""
    for package in (core.charts, dashboard.components):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)


def _spare_collections() -> None:
    """Let the garbage collector look at what pages make, and at that less often: half of a page's time was its own.

    What is loaded by now stays (some hundred thousand modules, classes and schemas). A page makes tens of thousands of
    small values without a circle among them, and every 700 of them began a collection.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _brand_routes() -> list[BaseRoute]:
    async def favicon(_: Request) -> Response:
        return FileResponse(FOLDER / "brand" / "mark.svg", media_type="image/svg+xml")

    async def login_style(_: Request) -> Response:
        return FileResponse(FOLDER / "brand" / "login.css", media_type="text/css")

    async def open_page(_: Request) -> Response:
        return FileResponse(
            FOLDER / "brand" / "open_page.js", media_type="text/javascript", headers={"Cache-Control": "no-cache"}
        )

    return [
        Route("/favicon.svg", favicon),
        Route("/brand/login.css", login_style),
        Route("/brand/open_page.js", open_page),
    ]


def _index_routes() -> list[BaseRoute]:
    """Streamlit's start page under our name, so that no tab flashes another title; and the script that watches it."""
    index = start_page().replace("<title>Streamlit</title>", "<title>octaudit</title>")
    index = index.replace('href="./favicon.png"', 'href="/favicon.svg" type="image/svg+xml"')
    index = index.replace("<script type=", '<script src="/brand/open_page.js"></script>\n    <script type=', 1)

    async def named_page(_: Request) -> Response:
        return HTMLResponse(index, headers={"Cache-Control": "no-cache"})

    async def home(request: Request) -> Response:
        """Streamlit knows its first page by ``/`` only and would say "Page not found" to its name."""
        return RedirectResponse(f"/?{request.url.query}" if request.url.query else "/", status_code=307)

    first, *others = PAGES
    named = [Route(f"/{page.url_path}", named_page) for page in others]
    return [Route("/", named_page), Route(f"/{first.url_path}", home), *named]


def main() -> None:
    """Entry point of `python -m dashboard.server`."""
    settings = load_settings()
    logging.basicConfig(level=settings.log_level)
    serve(settings)


if __name__ == "__main__":
    main()
