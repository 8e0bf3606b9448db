"""One verb per module. Use cases flush; only session_scope commits."""
