"""One ASGI app: pages, login, images and API. Never loads torch."""
