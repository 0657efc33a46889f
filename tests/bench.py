"""Measure every figure the design promises: `make bench`, or `make bench ARGS="grade overhead"`.

Each line gives the figure, its budget, and where a ratio exists, both sides measured in this run.
Times are wall clock. Nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox import assessment, attempts, episode, flights, models, paths, registry, script, stack
from sandbox import scenario as scenarios
from sandbox.evidence import Evidence
from sandbox.grading.runner import grade
from sandbox.grading.scorecard import Scorecard
from sandbox.live import session
from sandbox.runtimes import open_runtime
from sandbox.telemetry import prometheus
from sandbox.traffic.client import Answer, Client

SCENARIO = "skewed_preprocessing"
# Seconds that `make check` and `make grade` may take, by scenario.
BUDGETS = {
    "skewed_preprocessing": (15, 20),
    "drifting_inputs": (20, 60),
    "blind_monitoring": (20, 60),
    "reckless_canary": (20, 60),
    "no_rollback": (30, 60),
    "unrepeatable_environment": (20, 60),
}
# The oracle and a partial fix of each, for what has to be the same every time.
REPEATED = {
    "skewed_preprocessing": ("oracle", "two_skews"),
    "drifting_inputs": ("oracle", "invariants_only"),
    "blind_monitoring": ("oracle", "one_sided"),
    "reckless_canary": ("oracle", "nan_is_no_failure"),
    "no_rollback": ("oracle", "overtaken"),
    "unrepeatable_environment": ("oracle", "one_hash"),
}


def main() -> None:
    benches: dict[str, Callable[[], None]] = {
        "machine": machine,
        "cold": cold_start,
        "warm": warm_start,
        "check": check,
        "grade": grade_and_regrade,
        "episodes": episodes,
        "overhead": overhead,
        "repeats": repeats,
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", choices=[*benches, []], help="all but cold and repeats")
    chosen = parser.parse_args().only or [n for n in benches if n not in {"cold", "repeats"}]
    models.releases()
    for name in chosen:
        benches[name]()


def say(what: str, seen: float, unit: str, budget: float | None = None) -> None:
    verdict = "" if budget is None else f"  budget {budget:g} {unit}"
    verdict += "" if budget is None or seen <= budget else "  OVER"
    print(f"{what:<58} {seen:8.2f} {unit}{verdict}", flush=True)


def machine() -> None:
    """How fast this machine is today: the same imports and arithmetic every time."""
    say("machine: import mlflow.pyfunc", timed([sys.executable, "-c", "import mlflow.pyfunc"]), "s")
    say("machine: 3e6 additions in Python", timed([sys.executable, "-c", _ADD]), "s")


def cold_start() -> None:
    """From a fresh clone, with every installation, to the first prediction."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        run(["git", "clone", "--quiet", str(paths.ROOT), str(clone)])
        began = time.time()
        run(["make", "start"], cwd=clone)
        try:
            state = json.loads((clone / ".sandbox/live/state.json").read_text())
            say("make start, cold, to the first prediction", state["answered_at"] - began, "s", 60)
            say("make start, cold, until it returns", time.time() - began, "s")
        finally:
            run(["make", "stop"], cwd=clone)


def warm_start() -> None:
    """With everything installed and trained."""
    with workspace("untouched") as folder:
        firsts, returns = [], []
        for _ in range(3):
            began = time.time()
            run(["sandbox", "start", SCENARIO, "--workspace", str(folder), "--seed", seed()])
            returns.append(time.time() - began)
            state = session.running()
            assert state is not None
            firsts.append(state.answered_at - began)
            run(["sandbox", "stop"])
        say("make start, warm, to the first prediction", statistics.median(firsts), "s", 6)
        say("make start, warm, until it returns", statistics.median(returns), "s")


def check() -> None:
    """The public checks on the untouched workspace."""
    for name, (budget, _) in BUDGETS.items():
        with workspace("untouched", name) as folder:
            seconds = timed(["sandbox", "check", "--workspace", str(folder)], status=1)
            say(f"make check, {name}", seconds, "s", budget)


def grade_and_regrade() -> None:
    """The whole line on the oracle, and again from its evidence."""
    for name, (_, budget) in BUDGETS.items():
        with workspace("oracle", name) as folder:
            results = folder.parent / "results"
            seconds = timed(["sandbox", "grade", str(folder), "--results", str(results)])
            say(f"make grade, {name}, oracle", seconds, "s", budget)
            again = [timed(["sandbox", "regrade", str(results)]) for _ in range(3)]
            say(f"regrade, {name}", statistics.median(again), "s", 1)


def episodes() -> None:
    """Simulated time by wall-clock time, and what a tick costs besides its requests."""
    setting = scenarios.load("drifting_inputs")
    everything = flights.load()
    day = script.drawn(everything, "2013-07-09 08:00", 8, tick_s=120, rows_per_hour=1_300, seed=1)
    weeks = script.as_flown(everything, "2013-07-01", 70, seed=1)
    with workspace("oracle", "drifting_inputs") as folder, paths.run_folder() as scratch:
        copy = stack.copy_registry(models.releases(), scratch / "registry")
        with (
            open_runtime("process") as runtime,
            stack.running_stack(runtime, setting, folder, copy) as running,
        ):
            for what, scripted, unit_s, unit in (
                ("fault episode", day, script.HOUR_S, "hours"),
                ("quality episode", weeks, script.DAY_S, "days"),
            ):
                samples = scratch / what
                samples.mkdir()
                with prometheus.running(runtime, samples, scripted.tick_s) as server:
                    client = Client(running.model.url)
                    asked: list[float] = []
                    client.ask = _timing(client.ask, asked)  # type: ignore[method-assign]
                    began = time.monotonic()
                    episode.replay(scripted, client, server, name=what, seed=1, rows_per_request=60)
                    took = time.monotonic() - began
                simulated = scripted.ticks * scripted.tick_s / unit_s
                say(f"{what}: seconds for one of its {unit}", took / simulated, "s", 1)
                besides = (took - sum(asked)) / scripted.ticks * 1000
                say(f"{what}: a tick, requests aside", besides, "ms", 10)


def _timing(ask: Callable[..., Answer], asked: list[float]) -> Callable[..., Answer]:
    """Notes how long scoring and labels take; a scrape is the tick's own cost."""

    def timed_ask(method: str, path: str, body: bytes | None = None) -> Answer:
        began = time.monotonic()
        answer = ask(method, path, body)
        if method == "POST":
            asked.append(time.monotonic() - began)
        return answer

    return timed_ask


def overhead() -> None:
    """The harness against the bare work: the same services started and the same requests sent."""
    setting = scenarios.load(SCENARIO)
    rows = flights.records(flights.load().head(10_000))
    bodies = [
        json.dumps({"dataframe_records": rows[at : at + 50]}).encode()
        for at in range(0, len(rows), 50)
    ]
    ratios = []
    with workspace("oracle") as folder:
        for _ in range(3):
            bare = _bare(setting, folder, bodies)
            began = time.monotonic()
            with paths.run_folder() as scratch, open_runtime("process") as runtime:
                copy = stack.copy_registry(models.releases(), scratch / "registry")
                with stack.running_stack(runtime, setting, folder, copy) as running:
                    exchanges = Client(running.model.url).score_all(rows)
            harness = time.monotonic() - began
            assert all(exchange.predictions for exchange in exchanges)
            ratios.append(harness / bare)
            say("  services and 200 requests: bare", bare, "s")
            say("  services and 200 requests: harness", harness, "s")
    say("harness overhead over the bare work", (statistics.median(ratios) - 1) * 100, "%", 15)


def repeats() -> None:
    """The same submission gets the same verdicts, whatever the machine is busy with."""
    for setting, names in REPEATED.items():
        for name in names:
            repeated(setting, name)


def repeated(setting: str, attempt: str) -> None:
    name = f"{setting}, {attempt}"
    seen = []
    for number in range(5):
        with workspace(attempt, setting) as folder, load(6 if number == 4 else 0):
            results = folder.parent / "results"
            began = time.monotonic()
            card = assessment.assess(folder, results, runtime="process")
            seconds = time.monotonic() - began
            seen.append(verdicts(card))
            busy = ", processors three times oversubscribed" if number == 4 else ""
            say(f"  {name}, repeat {number + 1}: {card.points:g} points{busy}", seconds, "s")
            for was, now in zip(seen[0], seen[-1], strict=True):
                if was != now:
                    print(f"    {was} became {now}", flush=True)
            if number == 0:
                say(f"  {name}: 100 re-grades, different ones", regrades(results, setting), "")
    say(f"{name}: repeats that differ from the first", sum(s != seen[0] for s in seen), "", 0)


def regrades(results: Path, setting: str) -> int:
    evidence = Evidence(results / assessment.EVIDENCE)
    folder = assessment.hidden_course(setting).folder
    first = grade(folder, evidence, runtime="process")
    return sum(grade(folder, evidence, runtime="process") != first for _ in range(99))


def verdicts(card: Scorecard) -> list[tuple[str, str, float]]:
    return [(v.check, str(v.outcome), v.points) for v in card.verdicts]


@contextmanager
def load(processes: int) -> Iterator[None]:
    """Keep so many processors busy for the length of the block."""
    busy = [multiprocessing.Process(target=_spin, daemon=True) for _ in range(processes)]
    for process in busy:
        process.start()
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.join()


def _spin() -> None:
    while True:
        pass


def _bare(setting: scenarios.Scenario, folder: Path, bodies: list[bytes]) -> float:
    """Start the same commands and send the same bodies, with nothing of the harness around."""
    began = time.monotonic()
    with paths.run_folder() as scratch:
        copy = shutil.copytree(models.releases(), scratch / "registry")
        registry_spec = registry.spec(copy)
        server = _popen(registry_spec.command, copy, registry_spec.environment, 38_401)
        spec = stack.service_spec(setting, folder, "http://127.0.0.1:38401")
        model = _popen(spec.command, folder, spec.environment, 38_402)
        try:
            _until_ready(38_401, "/health")
            _until_ready(38_402, "/readyz")
            connection = http.client.HTTPConnection("127.0.0.1", 38_402)
            for body in bodies:
                connection.request("POST", "/invocations", body)
                assert connection.getresponse().read()
        finally:
            for process in (model, server):
                process.terminate()
                process.wait()
    return time.monotonic() - began


def _popen(
    command: tuple[str, ...], folder: Path, environment: dict[str, str], port: int
) -> subprocess.Popen[bytes]:
    words = [word.replace("{host}", "127.0.0.1").replace("{port}", str(port)) for word in command]
    inherited = {"PATH": "/usr/bin:/bin", "PORT": str(port), "MLFLOW_DISABLE_TELEMETRY": "true"}
    return subprocess.Popen(
        words,
        cwd=folder,
        env={**inherited, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _until_ready(port: int, path: str) -> None:
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.02)


@contextmanager
def workspace(attempt: str, setting: str = SCENARIO) -> Iterator[Path]:
    """A workspace with one attempt in it."""
    found = next(a for a in attempts.load_all(setting) if a.name == attempt)
    with paths.run_folder() as scratch:
        yield attempts.make(found, attempts.variants(setting, 1)[0], scratch / "workspace")


def seed() -> str:
    return attempts.variants(SCENARIO, 1)[0].seed


def timed(command: list[str], status: int = 0) -> float:
    began = time.monotonic()
    run(command, status=status)
    return time.monotonic() - began


def run(command: list[str], *, status: int = 0, cwd: Path | None = None) -> None:
    if command[0] == "sandbox":
        command = [str(Path(sys.executable).parent / "sandbox"), *command[1:]]
    # What the outer make was given must not reach a make in here.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != status:
        sys.exit(
            f"{command} ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        )


_ADD = "total = 0\nfor number in range(3_000_000): total += number"

if __name__ == "__main__":
    main()
