"""What a session was opened with, in words that its person knows again: ``Firefox on Windows``. Keeps nothing else."""

_BROWSERS = (
    ("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"),
    ("python", "a Python program"), ("curl/", "curl"),
)  # fmt: skip
"""In this order: each names those after it, too."""
_SYSTEMS = (
    ("Windows", "Windows"), ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


def client_words(user_agent: str) -> str:
    """Browser and system of a User-Agent header; "an unknown program" where neither is recognised."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    return " on ".join(part for part in (browser, system) if part) or "an unknown program"
