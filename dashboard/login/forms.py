"""Our own small forms outside the pages: templates, the token that a form must repeat, and reading its fields."""

import hmac
import secrets
from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from core.settings import Settings

FORM_COOKIE = "octaudit_form"
MAX_FORM_BYTES = 16_384
"""Name, passwords, token and a long ?next= fit many times; more is no form of ours."""

_FOLDER = Path(__file__).parent
_TEMPLATES = {path.stem: Template(path.read_text("utf-8")) for path in _FOLDER.glob("*.html")}


def show_form(
    request: Request,
    settings: Settings,
    form: str,
    *,
    title: str,
    fields: Mapping[str, str] | None = None,
    problem: str = "",
    status: int = 200,
    other: str = "",
) -> Response:
    """The form ``form``.html with its fields escaped, and the cookie whose value it repeats (SameSite=Strict).

    ``other`` is markup of ours for another way in.
    """
    csrf = request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(32)
    values = {name: escape(value) for name, value in (fields or {}).items()}
    line = f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else ""
    content = _TEMPLATES[form].substitute(values, csrf=escape(csrf), problem=line, other=other)
    response = HTMLResponse(_TEMPLATES["page"].substitute(title=escape(title), content=content), status_code=status)
    response.headers["Cache-Control"] = "no-store"
    response.set_cookie(FORM_COOKIE, csrf, path="/", secure=settings.secure_cookies, httponly=True, samesite="strict")
    return response


def is_own_form(request: Request, fields: Mapping[str, str]) -> bool:
    """Whether the form repeats its cookie, which no page of another origin can read or make a browser send."""
    expected, given = request.cookies.get(FORM_COOKIE, ""), fields.get("csrf", "")
    return bool(expected) and hmac.compare_digest(expected.encode(), given.encode())


async def form_fields(request: Request) -> dict[str, str]:
    """The form's fields; empty where the body is too large or no form, which then fails the check above."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            return {}
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=10)
    except ValueError:
        return {}
    return {name: values[-1] for name, values in fields.items()}
