"""Routes of work."""

from fastapi import APIRouter

router = APIRouter(tags=["work"])
