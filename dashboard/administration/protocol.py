"""The protocol on the Admin page: its versions, what each changed and who says so, and the form for the next one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import streamlit as st
from sqlalchemy.orm import Session

from core.errors import UsageError
from core.policy.compare_protocols import EXPECTED_SCAN, Difference, Setting, describe, differences
from core.policy.parse_protocol import parse_protocol
from core.policy.protocol import Protocol
from core.scoring.card import calibration_in
from core.store.access import Actor
from core.store.administration import ProtocolRow, StudyRow
from core.store.model_version import ScoringModel
from core.usecases.administer_study import publish_protocol, refuse_unless_promised
from core.wording import scan_type_words
from dashboard.administration.places import draw_list
from dashboard.administration.protocol_fields import draw_protocol_fields
from dashboard.administration.steps import fresh_key, perform
from dashboard.components.guarantee import accept_guarantee
from dashboard.components.panel import empty_state, panel
from dashboard.session import open_session

_Line = TypeVar("_Line", Setting, Difference)
_DIFFERENCE_COLUMNS = {"name": "Setting", "before": "Before", "after": "Now"}
_SETTING_COLUMNS = {"name": "Setting", "value": "Value", "source": "Where it comes from"}


@dataclass(frozen=True, slots=True)
class _VersionLine:
    version: str
    since: str
    by: str
    note: str
    changed: str


def draw_protocol(study: StudyRow, versions: Sequence[ProtocolRow], model: ScoringModel | None) -> None:
    """The versions of a study's protocol, newest first, what the level promises, and the form for the next."""
    columns = {
        "version": "Version", "since": "In force from (UTC)", "by": "Published by", "note": "Reason",
        "changed": "Changed",
    }  # fmt: skip
    lines = [_version_line(version, versions) for version in versions]
    draw_list(lines, columns, key="protocol", nothing=("No protocol", "Publish the first version below."))
    if len(versions) > 1:
        _draw_changes(versions)
    current = Protocol.model_validate(versions[0].document) if versions else Protocol.default()
    with st.expander("Every setting in force, and where it comes from", icon=":material/tune:"):
        draw_list(_named(describe(current)), _SETTING_COLUMNS, key="settings", nothing=("", ""))
    _draw_guarantee(current, model)
    _draw_next(study, current)


def _version_line(version: ProtocolRow, versions: Sequence[ProtocolRow]) -> _VersionLine:
    before = _before(version, versions)
    names = [each.name for each in _named(differences(before, _parsed(version)))] if before else []
    changed = "everything" if before is None else "; ".join(names[:3]) or "nothing"
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""  # noqa: PLR2004 - as many as fit a line
    return _VersionLine(
        str(version.number), f"{version.effective_at:%d %b %Y, %H:%M}", version.published_by or "octaudit",
        version.note, changed + more,
    )  # fmt: skip


def _named(lines: Sequence[_Line]) -> list[_Line]:
    """The same with scan types as people write them."""
    return [replace(each, name=_in_words(each.name)) for each in lines]


def _in_words(name: str) -> str:
    if not name.startswith(EXPECTED_SCAN):
        return name
    code, mark, number = name.removeprefix(EXPECTED_SCAN).partition(" (")
    return f"{EXPECTED_SCAN}{scan_type_words(code)}{mark}{number}"


def _before(version: ProtocolRow, versions: Sequence[ProtocolRow]) -> Protocol | None:
    return next((_parsed(each) for each in versions if each.number == version.number - 1), None)


def _parsed(version: ProtocolRow) -> Protocol:
    return Protocol.model_validate(version.document)


def _draw_changes(versions: Sequence[ProtocolRow]) -> None:
    with st.expander("What a version changed", icon=":material/difference:"):
        followers = [each for each in versions if _before(each, versions) is not None]
        version = st.selectbox(
            "Version", followers, format_func=lambda each: f"{each.number}: {each.note}", key="protocol.changed"
        )
        before = _before(version, versions)
        assert before is not None, "only versions that follow another are offered"
        nothing = ("Nothing differs", "It repeats the version before it.")
        draw_list(_named(differences(before, _parsed(version))), _DIFFERENCE_COLUMNS, key="changes", nothing=nothing)


def _draw_guarantee(protocol: Protocol, model: ScoringModel | None) -> None:
    """What the level in force promises with the model that scored last."""
    st.subheader("What the accept level promises")
    if model is None:
        empty_state("No scan was scored yet", "The promise depends on the model; it appears with the first score.",
                    key="no-model")  # fmt: skip
        return
    promise = accept_guarantee(
        calibration_in(model.card),
        protocol.conformal_level,
        model=f"{model.name} {model.version}, which scored last",
        is_inherit=protocol.inherit,
    )
    panel(promise, key="guarantee")


def _draw_next(study: StudyRow, current: Protocol) -> None:
    """The form for the next version: it starts from the present one, shows what would change, and is published."""
    with st.expander("Publish a new version", icon=":material/add:", key=fresh_key("protocol.expander")):
        st.caption(
            "It applies to scans acquired from now on; scans already judged keep their version until they are "
            "re-evaluated, which is an act of its own (part Re-evaluation)."
        )
        document, note, is_checked, is_published = draw_protocol_fields(current)
        if is_checked:
            _draw_check(current, document)
        if is_published:
            perform(lambda session, actor: _publish(session, actor, study, document, note))


def _draw_check(current: Protocol, document: dict[str, Any]) -> None:
    try:
        wanted = parse_protocol(document)
        with open_session() as session:
            refuse_unless_promised(session, wanted)
    except UsageError as error:
        st.error(str(error), icon=":material/error:")
        return
    nothing = ("Nothing differs from the version in force", "Change a value first.")
    draw_list(_named(differences(current, wanted)), _DIFFERENCE_COLUMNS, key="check", nothing=nothing)


def _publish(session: Session, actor: Actor, study: StudyRow, document: dict[str, Any], note: str) -> str:
    publish_protocol(session, actor=actor, study_id=study.id, protocol=parse_protocol(document), note=note)
    return (
        "The new protocol version is in force for scans acquired from now on. Trends show a mark. Scans already "
        "judged keep their version; see Re-evaluation."
    )
