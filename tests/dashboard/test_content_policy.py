"""What pages may run: scripts of this host, the one inline script by its hash, and nothing made from text."""

import base64
import hashlib

from dashboard.content_policy import content_security_policy, script_hashes, start_page


def directives(policy: str) -> dict[str, list[str]]:
    return {name: sources for name, *sources in (part.split() for part in policy.split("; "))}


def test_no_script_runs_that_was_not_served_from_here_or_hashed() -> None:
    allowed = directives(content_security_policy(start_page()))
    assert "'unsafe-inline'" not in allowed["script-src"]
    assert "'unsafe-eval'" not in allowed["script-src"]
    assert allowed["object-src"] == allowed["frame-ancestors"] == ["'none'"]
    assert allowed["default-src"] == allowed["connect-src"] == ["'self'"]


def test_streamlits_inline_script_is_allowed_by_its_own_text_alone() -> None:
    page = start_page()
    text = page.split("<script>")[1].split("</script>")[0]
    named = f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
    assert script_hashes(page) == (named,)
    assert named in directives(content_security_policy(page))["script-src"]
    assert script_hashes(page.replace(text, text + "alert(1)")) != (named,)


def test_a_page_without_inline_scripts_allows_none() -> None:
    assert directives(content_security_policy("<html></html>"))["script-src"] == ["'self'", "blob:"]
