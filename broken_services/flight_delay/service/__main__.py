"""Start the service: `python -m service`. `HOST` and `PORT` say where, one worker."""

from __future__ import annotations

import os

import uvicorn

from service.app import app

uvicorn.run(
    app,
    host=os.environ.get("HOST", "127.0.0.1"),
    port=int(os.environ.get("PORT", "8080")),
    log_level="warning",
)
