"""The image viewer: zoom, pan, contrast and overlays on the client, over PNGs from our own routes."""
