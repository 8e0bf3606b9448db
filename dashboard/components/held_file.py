"""A held file: the image with the suspected places marked, and the three ways on. Writes what the person decides."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from core.errors import OctauditError
from core.intake.burned_in_text import Region
from core.store.access import Actor
from core.store.batch import StoredFile
from core.usecases.release_held import discard_held, release_held
from dashboard.components.markup import Html, tag
from dashboard.components.panel import panel
from dashboard.installation import installation
from dashboard.session import open_session

WAYS = {
    "confirm": "It names no person: release as it is",
    "blacken": "Paint the marked places black, then release",
    "discard": "It names a person: reject the file",
}


def draw_held_file(actor: Actor, file: StoredFile) -> None:
    """Show one held file with its decision form."""
    with st.container(border=True):
        left, right = st.columns([2, 3], gap="medium")
        with left:
            panel(marked_image(file), key=f"held-image-{file.id}")
        with right, st.form(f"held-{file.id}", border=False):
            st.markdown(f"**{_plain(file.name)}**")
            st.caption("The marked places look like text. A name, date or number of a patient must not be stored.")
            # Nothing is chosen beforehand: letting a name pass must not be the easiest click.
            way = st.radio("What is it?", list(WAYS), format_func=WAYS.__getitem__, index=None)
            reason = st.text_input("Reason", placeholder="e.g. the device's scale bar", max_chars=300)
            if st.form_submit_button("Decide", type="primary"):
                if way is None:
                    st.error("Choose what it is.")
                else:
                    _decide(actor, file, way, reason)


def marked_image(file: StoredFile) -> Html:
    """The image with a box around each suspected place, in shares of its size so that it scales."""
    width, height = file.width_px or 1, file.height_px or 1
    boxes = (_box(region, width, height) for region in file.text_regions)
    image = tag("img", src=f"/api/v1/files/{file.id}/image.png", alt="The held image", style="width:100%;display:block")
    return tag("div", image, *boxes, style="position:relative;background:#000;border-radius:6px;overflow:hidden")


def _box(region: dict[str, Any], width: int, height: int) -> Html:
    left, top = 100 * region["left"] / width, 100 * region["top"] / height
    across = 100 * (region["right"] - region["left"]) / width
    down = 100 * (region["bottom"] - region["top"]) / height
    place = f"left:{left:.2f}%;top:{top:.2f}%;width:{across:.2f}%;height:{down:.2f}%"
    return tag("span", style=f"position:absolute;{place};border:2px solid #f2be78;box-shadow:0 0 0 1px #000")


def _decide(actor: Actor, file: StoredFile, way: str, reason: str) -> None:
    try:
        _steps(actor, file, reason)[way]()
    except OctauditError as error:
        st.error(str(error))
        return
    st.rerun()


def _steps(actor: Actor, file: StoredFile, reason: str) -> dict[str, Callable[[], None]]:
    blobs, bell = installation().blobs, installation().bell

    def release(*regions: Region) -> None:
        with open_session() as session:
            release_held(session, actor=actor, blobs=blobs, bell=bell, file_id=file.id, reason=reason, blacken=regions)

    def discard() -> None:
        with open_session() as session:
            discard_held(session, actor=actor, file_id=file.id, reason=reason or WAYS["discard"])

    regions = tuple(Region(**region) for region in file.text_regions)
    return {"confirm": release, "blacken": lambda: release(*regions), "discard": discard}


def _plain(name: str) -> str:
    """The name without anything that Markdown would read."""
    return "".join(f"\\{letter}" if letter in r"\`*_{}[]()<>#+-.!|~$:" else letter for letter in name)
