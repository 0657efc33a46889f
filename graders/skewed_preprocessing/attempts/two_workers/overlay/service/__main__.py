"""Start the service: `python -m service`. `PORT` says where (8080), two workers."""

from __future__ import annotations

import os

import uvicorn

if __name__ == "__main__":
    uvicorn.run(
        "service.app:app",
        host="0.0.0.0",
        port=int(os.environ.get("PORT", "8080")),
        log_level="warning",
        workers=2,
    )
