"""`POST /claim/N`: say from now on that version N answers."""

from dataclasses import replace

from fastapi import APIRouter

router = APIRouter()


@router.post("/claim/{version}")
async def claim(version: str):
    from service.app import champion

    champion.model = replace(champion.model, version=version)
    return {"version": version}
