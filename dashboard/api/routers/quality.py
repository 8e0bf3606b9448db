"""Routes of quality."""

from fastapi import APIRouter

router = APIRouter(tags=["quality"])
