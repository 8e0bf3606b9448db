"""How every way of signing in ends: with the session's cookie, or with the form and what was wrong."""

from html import escape
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from core.settings import Settings
from core.usecases.log_in import LoginResult
from dashboard.gate import session_cookie_name
from dashboard.login.forms import FORM_COOKIE, show_form


def welcome(settings: Settings, result: LoginResult, target: str) -> Response:
    """Set the session's cookie and go where the person wanted."""
    response = RedirectResponse(target, status_code=303)
    response.set_cookie(
        session_cookie_name(settings),
        result.token,
        max_age=int(settings.session_lifetime.total_seconds()),
        path="/",
        secure=settings.secure_cookies,
        httponly=True,
        samesite="lax",
    )
    response.delete_cookie(FORM_COOKIE, path="/")
    return response


def sign_in_form(
    request: Request, settings: Settings, *, target: str = "/", name: str = "", problem: str = "", status: int = 200
) -> Response:
    """The sign-in form, with the identity provider's button where one is set."""
    other = ""
    if settings.oidc_issuer is not None and settings.oidc_client_secret is not None:
        address = f"/login/oidc?next={quote(target, safe='/')}"
        other = f'<p class="other"><a href="{escape(address)}">{escape(settings.oidc_label)}</a></p>'
    return show_form(
        request, settings, "sign_in", title="Sign in", fields={"next": target, "name": name}, problem=problem,
        status=status, other=other,
    )  # fmt: skip


def refused(request: Request, settings: Settings, problem: str, *, status: int) -> Response:
    """The sign-in form with what was wrong."""
    return sign_in_form(request, settings, problem=problem, status=status)
