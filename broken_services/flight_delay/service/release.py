"""`POST /release`: serve this version from now on. For `pipeline.rollback`, and for nobody outside:
the gateway lets customers through to `/invocations` and `/feedback` only.
"""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from service.champion import Champion, OrderError, UnknownVersionError


class Wanted(BaseModel):
    """Which version, and who wants it, since when and why."""

    version: str = Field(pattern=r"^[1-9][0-9]{0,8}$")
    by: str
    at: str
    why: str


def routes(champion: Champion) -> APIRouter:
    """The route that takes orders for a champion."""
    router = APIRouter()

    # Not `async`: it runs in a thread, and requests are answered while the version loads.
    @router.post("/release")
    def release(wanted: Wanted) -> Response:
        """422: there is no such version; 409: it cannot be served, and nothing has changed."""
        try:
            previous = champion.order(wanted.version, by=wanted.by, at=wanted.at, why=wanted.why)
        except UnknownVersionError as error:
            return JSONResponse({"detail": str(error)}, status_code=422)
        except OrderError as error:
            return JSONResponse({"detail": str(error)}, status_code=409)
        return JSONResponse({"version": wanted.version, "previous": previous})

    return router
