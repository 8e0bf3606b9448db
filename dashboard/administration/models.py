"""What an administrator does about models on their page: activate, end, retire, bring back, each with its reason."""

from collections.abc import Sequence

import streamlit as st
from sqlalchemy.orm import Session

from core.store.access import Actor
from core.store.model_activation import Activation
from core.store.model_version import ModelRow
from core.usecases.activate_model import MEANINGS, Place, activate_model, end_activation
from core.usecases.register_model import restore_model, retire_model
from core.vocabulary import ScanKind
from core.wording import KIND_NAMES
from dashboard.administration.steps import adding_freely, fresh_key, perform, perform_apart
from dashboard.components.model_table import EVERY_DEVICE
from dashboard.components.signature import draw_password
from dashboard.installation import installation


def draw_activation(
    study_id: int, lanes: Sequence[ScanKind], models: Sequence[ModelRow], device_models: Sequence[str]
) -> None:
    """The form that gives a lane of the study to another model, signed."""
    with adding_freely("Activate a model", "model.activate", icon="model_training"):
        left, middle, right = st.columns((2, 3, 3))
        kind = left.selectbox("Lane", lanes, format_func=lambda each: KIND_NAMES[each], key=fresh_key("activate.lane"))
        choosable = [each for each in models if each.kind is kind and each.may_be_chosen]
        if not choosable:
            st.caption("No model of this lane can be chosen: the operator registers one with `octaudit model add`.")
            return
        model = middle.selectbox(
            "Model", choosable, format_func=lambda each: each.label, key=fresh_key(f"activate.model.{kind}")
        )
        device = right.selectbox(
            "For", ["", *device_models], format_func=lambda each: each or EVERY_DEVICE, key=fresh_key("activate.device")
        )
        st.caption(
            "Scans that come from now on are scored by it, by every worker and without a restart. What was scored "
            "stays as it was scored."
        )
        place = Place(study_id, kind, device)
        with st.form(fresh_key("activate"), border=False):
            meaning = st.selectbox("What the signature means", MEANINGS, format_func=str.capitalize)
            reason, password = draw_signature()
            if st.form_submit_button("Sign and activate", type="primary"):
                perform_apart(
                    lambda token: _activate(token, place, model, password=password, meaning=meaning, reason=reason)
                )


def draw_signature() -> tuple[str, str]:
    """The fields of a signature inside a form: reason and password."""
    reason = st.text_input("Reason (required)", max_chars=1000)
    return reason, draw_password()


def _activate(token: str, place: Place, model: ModelRow, *, password: str, meaning: str, reason: str) -> str:
    activate_model(
        installation().database, token=token, place=place, version_id=model.id, password=password, meaning=meaning,
        reason=reason,
    )  # fmt: skip
    return f"{model.label} is active: {KIND_NAMES[place.kind]}, {place.device_model or EVERY_DEVICE.lower()}."


def draw_end(activations: Sequence[Activation]) -> None:
    """The form that ends an activation, signed."""
    with adding_freely("End an activation", "model.end", icon="undo"):
        found = st.selectbox(
            "Which one", activations, key=fresh_key("end.which"),
            format_func=lambda each: f"{KIND_NAMES[each.kind]}, {each.device_model or EVERY_DEVICE}: {each.model}",
        )  # fmt: skip
        st.caption("Then the model for every device scores these scans again, or the installation's own.")
        with st.form(fresh_key("end"), border=False):
            reason, password = draw_signature()
            if st.form_submit_button("Sign and end", type="primary"):

                def act(token: str) -> str:
                    name = end_activation(
                        installation().database, token=token, activation_id=found.id, password=password, reason=reason
                    )
                    return f"The activation of {name} has ended."

                perform_apart(act)


def draw_retirement(model: ModelRow) -> None:
    """The form that takes a version out of the choice, or brings it back; for administrators of all studies."""
    is_retired = model.retired_at is not None
    title = "Bring it back" if is_retired else "Retire it"
    with adding_freely(title, f"model.retire.{model.id}", icon="restore" if is_retired else "archive"):
        st.caption(
            "It can be chosen again." if is_retired else "It can be chosen no more, in any study; what it said stays."
        )
        with st.form(fresh_key(f"retire.{model.id}"), border=False):
            reason = st.text_input("Reason (required)", max_chars=1000)
            if st.form_submit_button(title, type="primary"):

                def step(session: Session, actor: Actor) -> str:
                    act = restore_model if is_retired else retire_model
                    act(session, actor=actor, version_id=model.id, reason=reason)
                    return f"{model.label} is {'back' if is_retired else 'retired'}."

                perform(step)
