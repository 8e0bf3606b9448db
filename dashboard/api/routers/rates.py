"""Routes of rates."""

from fastapi import APIRouter

router = APIRouter(tags=["rates"])
