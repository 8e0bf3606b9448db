"""Routes of watch."""

from fastapi import APIRouter

router = APIRouter(tags=["watch"])
