"""Where things are: what the project ships, and what runs leave behind."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SERVICES = ROOT / "broken_services"
GRADERS = ROOT / "graders"
HEALTHY = SERVICES / "flight_delay"

# Everything that can be made again lives in one folder; removing it loses nothing but time.
STATE = Path(os.environ.get("SANDBOX_STATE", Path.cwd() / ".sandbox")).resolve()
CACHE = STATE / "cache"
RUNS = STATE / "runs"
WORK = Path.cwd() / "work"
RESULTS = Path.cwd() / "results"
SUBMISSIONS = Path.cwd() / "submissions"
