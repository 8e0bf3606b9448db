"""GET and POST of /password: one's own password, asked for at the first sign-in and open at any time."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from core.errors import OctauditError
from core.passwords import MIN_PASSWORD_LENGTH
from core.store.access import Actor
from core.usecases.log_in import change_password
from dashboard.gate import safe_next
from dashboard.installation import Installation
from dashboard.login.forms import form_fields, is_own_form, show_form


def password_routes(installation: Installation) -> list[BaseRoute]:
    """The routes of the form; the gate lets only signed-in people through to them."""
    database, settings = installation.database, installation.settings

    def show(request: Request, *, target: str, problem: str = "", status: int = 200) -> Response:
        actor: Actor = request.state.actor
        why = (
            "Your password was made for you. Choose your own before you go on."
            if actor.must_change_password
            else f"For {actor.display_name}. Your other sessions end."
        )
        fields = {
            "heading": "Choose your password" if actor.must_change_password else "Change your password",
            "why": why,
            "next": target,
            "name": actor.name,
            "least": str(MIN_PASSWORD_LENGTH),
        }
        return show_form(request, settings, "password", title="Password", fields=fields, problem=problem, status=status)

    async def ask(request: Request) -> Response:
        return show(request, target=safe_next(request.query_params.get("next")))

    async def save(request: Request) -> Response:
        fields = await form_fields(request)
        target = safe_next(fields.get("next"))
        if not is_own_form(request, fields):
            return show(request, target=target, problem="This form came from another page. Try again.", status=403)
        old, new = fields.get("old", ""), fields.get("new", "")
        if new != fields.get("again"):
            return show(request, target=target, problem="The two new passwords differ.", status=400)
        if new == old:
            return show(request, target=target, problem="The new password is the old one.", status=400)
        token, actor = request.state.session_token, request.state.actor
        try:
            await run_in_threadpool(change_password, database, token=token, actor=actor, old=old, new=new)
        except OctauditError as error:
            return show(request, target=target, problem=str(error), status=400)
        return RedirectResponse(target, status_code=303)

    return [Route("/password", ask, methods=["GET"]), Route("/password", save, methods=["POST"])]
