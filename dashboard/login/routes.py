"""GET and POST of /login and /logout: our own form, because the pages' script must not run before a session exists."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from core.errors import OctauditError
from core.usecases.log_in import LoginResult, log_in, log_out
from dashboard.gate import cookie_token, safe_next, session_cookie_name
from dashboard.installation import Installation
from dashboard.login.attempts import AttemptLimit
from dashboard.login.client import client_words
from dashboard.login.forms import form_fields, is_own_form, show_form
from dashboard.login.welcome import sign_in_form, welcome
from dashboard.monitoring import SIGN_IN_FAILURES


def login_routes(installation: Installation) -> list[BaseRoute]:
    """The routes of the two forms."""
    door = _Door(installation)
    return [
        Route("/login", door.show, methods=["GET"]),
        Route("/login", door.enter, methods=["POST"]),
        Route("/logout", door.leave_by_link, methods=["GET"]),
        Route("/logout", door.leave_by_form, methods=["POST"]),
    ]


class _Door:
    """Handlers of the two forms."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._per_person = AttemptLimit(most=10)
        # A hospital often has one address for everybody.
        self._per_address = AttemptLimit(most=100)
        self._cookie = session_cookie_name(installation.settings)

    async def show(self, request: Request) -> Response:
        """The sign-in form."""
        return self._sign_in(request, target=safe_next(request.query_params.get("next")))

    async def enter(self, request: Request) -> Response:
        """Check token, rate and password; on success set the session cookie and go where the person wanted."""
        fields = await form_fields(request)
        target, name = safe_next(fields.get("next")), fields.get("name", "").strip().lower()
        if not is_own_form(request, fields):
            problem = "This form was open for too long or came from another page. Please sign in again."
            return self._sign_in(request, target=target, name=name, problem=problem, status=403)
        address = request.client.host if request.client else ""
        person = f"{address} {name}"  # with the address, so that a stranger cannot lock a colleague out
        if wait_s := max(self._per_person.seconds_shut(person), self._per_address.seconds_shut(address)):
            problem = f"Too many failed attempts. Please try again in {-(-wait_s // 60)} min."
            response = self._sign_in(request, target=target, name=name, problem=problem, status=429)
            response.headers["Retry-After"] = str(wait_s)
            return response
        try:
            client = client_words(request.headers.get("user-agent", ""))
            result = await run_in_threadpool(self._log_in, name, fields.get("password", ""), client)
        except OctauditError:
            # One sentence for every cause: whether an account exists is nobody's business.
            self._per_person.note_failure(person)
            self._per_address.note_failure(address)
            SIGN_IN_FAILURES.inc()
            problem = "User name or password is not right, or the account is disabled."
            return self._sign_in(request, target=target, name=name, problem=problem, status=401)
        self._per_person.forget(person)
        return welcome(self._installation.settings, result, target)

    async def leave_by_link(self, request: Request) -> Response:
        """The pages' own link signs out at once; any other origin, or an unsure browser, is asked first."""
        if request.headers.get("sec-fetch-site") == "same-origin":
            return await self._leave(request)
        return self._ask_to_leave(request, status=200)

    async def leave_by_form(self, request: Request) -> Response:
        """Sign out where the form is our own."""
        if not is_own_form(request, await form_fields(request)):
            return self._ask_to_leave(request, status=403)
        return await self._leave(request)

    def _log_in(self, name: str, password: str, client: str) -> LoginResult:
        opened = self._installation
        return log_in(opened.database, opened.settings, name=name, password=password, client=client)

    async def _leave(self, request: Request) -> Response:
        token = cookie_token(request.headers, self._cookie)
        if token:
            await run_in_threadpool(log_out, self._installation.database, token=token)
        response = RedirectResponse("/login", status_code=303)
        response.delete_cookie(self._cookie, path="/", secure=self._installation.settings.secure_cookies)
        return response

    def _sign_in(
        self, request: Request, *, target: str, name: str = "", problem: str = "", status: int = 200
    ) -> Response:
        settings = self._installation.settings
        return sign_in_form(request, settings, target=target, name=name, problem=problem, status=status)

    def _ask_to_leave(self, request: Request, *, status: int) -> Response:
        return show_form(request, self._installation.settings, "sign_out", title="Sign out", status=status)
