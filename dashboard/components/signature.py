"""The field of a form by which a person says again who they are, before signing."""

from html import escape
from urllib.parse import quote, urlencode, urlsplit

import streamlit as st

from core.store.identity import MeansToSign, own_means_to_sign
from dashboard.installation import installation
from dashboard.session import open_session


def draw_password() -> str:
    """The password field; for an account without a password the way by the identity provider, and "" is returned."""
    with open_session() as session:
        means = own_means_to_sign(session)
    if means.has_password:
        return st.text_input("Your password", type="password", autocomplete="current-password")
    if means.has_identity and installation().settings.oidc_issuer is not None:
        _draw_provider(means)
    else:
        st.caption(
            ":red[Your account has no password to sign with.] Ask an administrator for one (page Admin, People), or "
            "link your organisation's sign-in on the page Account."
        )
    return ""


def _draw_provider(means: MeansToSign) -> None:
    if means.is_proven:
        st.caption(":material/verified_user: Your organisation has just confirmed who you are; it holds for 5 minutes.")
        return
    label = escape(installation().settings.oidc_label)
    address = escape(f"/login/oidc?prove=1&next={quote(_here(), safe='')}")
    st.html(
        f'<p>Before you sign, once more: <a href="{address}" target="_self">{label}</a>. You come back to this page; '
        "fill the form in then.</p>"
    )


def _here() -> str:
    """The page's own address, from the root on."""
    query = urlencode(st.query_params.to_dict())
    path = urlsplit(st.context.url or "").path or "/"
    return f"{path}?{query}" if query else path
