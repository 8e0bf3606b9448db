"""The upload API under /api/v1: what the upload page, scripts and other programs talk to."""
