"""Start the service: `python -m service`. `PORT` says where (8080), one worker."""

from __future__ import annotations

import os

import uvicorn

from service.app import app

uvicorn.run(app, host="0.0.0.0", port=int(os.environ.get("PORT", "8080")), log_level="warning")
