"""A release is shipped: a rollout on the simulated clock, with customers asking all the while.

At each tick customers' requests go through a real router to the stable replica and the canary, all
three are scraped into a real Prometheus, and the rollout controller acts: its queries are answered
at the simulated instant, its weights are the router's before the clock moves on.

    passage = ship(script, delivery, way, prometheus, name=..., released_at=6)
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from sandbox import flights
from sandbox.episode import GATEWAY_TARGET, JOB, TARGET
from sandbox.errors import HarnessFault, SandboxError, SubmissionFault
from sandbox.progress import Progress, Silent
from sandbox.rollout.analysis import Answer
from sandbox.rollout.controller import begin, step
from sandbox.rollout.state import Ask, Promote, Route, ScaleDown, ScaleUp, Seen
from sandbox.telemetry.prometheus import QueryError
from sandbox.telemetry.remote_write import Batch
from sandbox.telemetry.scraping import Scraper, Target, fetch
from sandbox.traffic.client import Client, Patience, batches
from sandbox.traffic.router import CANARY, STABLE, Share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sandbox.rollout.spec import Delivery, Result
    from sandbox.rollout.state import Action, State
    from sandbox.runtimes.base import Service
    from sandbox.script import Script
    from sandbox.telemetry.prometheus import Prometheus
    from sandbox.traffic.client import Exchange
    from sandbox.traffic.router import Router

# A new replica loads its model for so long, on the simulated clock.
READY_AFTER_S = 20.0
# Ticks after the end of a rollout, in which nobody may be answered by a release that was aborted.
TICKS_AFTER = 2
SECONDS_PER_TICK_MAX = 20.0


@dataclass(frozen=True)
class Replica:
    """A running replica of the model service.

    Args:
        service: where it answers.
        version: of the model it was started with.
    """

    service: Service
    version: str


def wait_ready(replica: Replica) -> None:
    """Wait until a replica can predict.

    Raises:
        SubmissionFault: it ended.
        HarnessFault: it is still loading when its time is up. What a submission ships are its
            manifests; the service is as it was handed out, and waits for the machine alone.
    """
    try:
        replica.service.wait_ready()
    except SubmissionFault as fault:
        if replica.service.alive():
            raise HarnessFault(expected=fault.expected, seen=fault.seen, hint=fault.hint) from fault
        raise


@dataclass(frozen=True)
class Way:
    """What a release goes through.

    Args:
        router: what customers ask.
        stable: the replica they have so far.
        canary: the new release's; started, and perhaps not ready yet.
        dark: whether monitoring sees nothing of the release: neither the canary nor the router can
            be scraped once it is shipped.
    """

    router: Router
    stable: Replica
    canary: Replica
    dark: bool = False


@dataclass
class Passage:
    """What came of a release.

    Args:
        released_at: the tick in which it was shipped.
        exchanges: scoring requests by tick, in order; where one was answered with a prediction, its
            `version` says by whom.
        answered: for each tick, how many requests the router has counted so far, by track and HTTP
            status; whoever fails does not say who it is.
        weights: since when, in seconds from the shipping, so many percent of the customers get the
            release.
        state: the rollout as it was left; None if the script ended before.
        ticks: how many were replayed.
        cut: whether it was ended because too many had been answered by the release.
    """

    released_at: int
    exchanges: list[tuple[int, Exchange]] = field(default_factory=list)
    answered: list[Mapping[tuple[str, int], int]] = field(default_factory=list)
    weights: list[tuple[float, int]] = field(default_factory=list)
    state: State | None = None
    ticks: int = 0
    cut: bool = False

    @property
    def exposed(self) -> int:
        """How many requests were sent to the canary.

        Until the release is promoted these are all that got the release.
        """
        last = self.answered[-1] if self.answered else {}
        return sum(number for (track, _), number in last.items() if track == CANARY)


def ship(
    script: Script,
    delivery: Delivery,
    way: Way,
    prometheus: Prometheus,
    *,
    name: str,
    released_at: int,
    rows_per_request: int,
    exposed_max: int | None = None,
    progress: Progress | None = None,
    watched: Callable[[State | None, float], None] | None = None,
) -> Passage:
    """Ship a release, until its rollout has ended or the script has.

    Args:
        script: what customers ask, and for how long.
        delivery: the manifest.
        way: router and replicas.
        prometheus: takes the samples; nothing else may be in it.
        name: of the episode, for the progress shown.
        released_at: the tick in which the release is shipped; what was before is stable's.
        rows_per_request: flights in each request.
        exposed_max: ends it once so many requests were answered by the release; None for never.
        progress: is told of every tick.
        watched: is shown the rollout after every tick, and the seconds since it was shipped.

    Raises:
        SubmissionFault: the manifest's queries take too long.
        HarnessFault: the services do not keep up, or router or Prometheus fail.
    """
    told = progress or Silent()
    passage = Passage(released_at)
    journey = _Journey(delivery, way, prometheus, passage)
    way.router.route({STABLE: Share(way.stable.service.url, 100)})
    customers, patience = Client(way.router.url), Patience()
    edges = script.events["tick"].searchsorted(range(script.ticks + 1))
    begun, granted_s = time.monotonic(), SECONDS_PER_TICK_MAX * script.ticks
    after = 0
    for tick in range(script.ticks):
        # Not all at once: most rollouts end long before the script does.
        rows = flights.records(script.events.iloc[edges[tick] : edges[tick + 1]])
        for part in batches(rows, rows_per_request):
            exchange = patience.saw("scoring requests", customers.score(part))
            passage.exchanges.append((tick, exchange))
        at_s = script.start.timestamp() + tick * script.tick_s
        journey.scrape(at_s, released=tick >= released_at)
        if tick >= released_at:
            journey.reconcile(at_s, (tick - released_at) * script.tick_s)
        passage.ticks = tick + 1
        told.tick(name, script.now(tick), tick + 1, script.ticks)
        if watched:
            watched(passage.state, (tick - released_at) * script.tick_s)
        after += passage.state is not None and bool(passage.state.outcome)
        passage.cut = exposed_max is not None and passage.exposed > exposed_max
        if after > TICKS_AFTER or passage.cut:
            break
        if time.monotonic() - begun > granted_s:
            raise journey.late(
                f"{tick + 1} of {script.ticks} ticks after {granted_s:g} s", granted_s
            )
    return passage


class _Journey:
    """Carries out what the controller asks for."""

    def __init__(
        self, delivery: Delivery, way: Way, prometheus: Prometheus, passage: Passage
    ) -> None:
        self._delivery = delivery
        self._way = way
        self._prometheus = prometheus
        self._passage = passage
        self._batch = Batch()
        stable = Target(JOB, TARGET.instance, _labels("stable", way.stable))
        canary = Target(JOB, "flight-delay-1:8080", _labels("canary", way.canary))
        self._stable = Scraper(stable, partial(fetch, Client(way.stable.service.url)))
        self._canary = Scraper(canary, partial(fetch, Client(way.canary.service.url)))
        self._router = Scraper(GATEWAY_TARGET, lambda: self._seen_of_router)
        self._seen_of_router = way.router.metrics()
        self._scaled_s: float | None = None
        self._ready = self._gone = self._promoted = False
        self._stable_url = way.stable.service.url
        self._asking_s = 0.0

    def late(self, seen: str, granted_s: float) -> SandboxError:
        """Whose fault it is that a script takes longer than it may."""
        expected = f"at most {SECONDS_PER_TICK_MAX:g} s a tick"
        if self._asking_s < granted_s / 2:
            return HarnessFault(expected=expected, seen=seen)
        return SubmissionFault(
            expected=expected,
            seen=f"{seen}, of which {self._asking_s:.0f} s for the queries of the manifest",
            hint="ask for shorter ranges in longer steps",
        )

    def scrape(self, at_s: float, *, released: bool) -> None:
        """What Prometheus gets at an instant."""
        at_ms = round(at_s * 1000)
        dark = self._way.dark and released
        self._seen_of_router = self._way.router.metrics()
        self._passage.answered.append(self._way.router.answered(self._seen_of_router))
        self._stable.scrape(at_ms, self._batch)
        scraped = [self._router]
        if self._ready and not self._gone:
            scraped.append(self._canary)
        for scraper in scraped:
            if dark:
                scraper.lose(at_ms, self._batch)
            else:
                scraper.scrape(at_ms, self._batch)

    def reconcile(self, at_s: float, since_s: float) -> None:
        """Let the controller act until it has nothing more to do at this instant.

        Args:
            at_s: the instant, in seconds since 1970.
            since_s: the same since the release was shipped, by which the controller counts.
        """
        state = self._passage.state or begin(self._delivery, since_s)
        available = self._available(since_s)
        answers: dict[Ask, Answer] = {}
        while True:
            state, actions = step(state, since_s, Seen(available, answers))
            for action in actions:
                self._carry_out(action, at_s, since_s)
            asks = [action for action in actions if isinstance(action, Ask)]
            if not asks:
                break
            answers = self._answered(asks, at_s)
        self._passage.state = state

    def _answered(self, asks: Iterable[Ask], at_s: float) -> dict[Ask, Answer]:
        # Nobody sees a sample before somebody asks.
        self._prometheus.write(self._batch)
        self._batch.clear()
        begun = time.monotonic()
        answers = {ask: self._measured(ask.query, at_s) for ask in asks}
        self._asking_s += time.monotonic() - begun
        return answers

    def _measured(self, query: str, at_s: float) -> Answer:
        try:
            value: Result = self._prometheus.measure(query, at_s)
        except QueryError as error:
            return Answer(error=str(error))
        return Answer(value)

    def _available(self, since_s: float) -> bool:
        if self._gone or self._scaled_s is None or since_s < self._scaled_s + READY_AFTER_S:
            return False
        if not self._ready:
            try:
                wait_ready(self._way.canary)
            except SubmissionFault:
                # It crashes at load, again and again. Nobody waits for it twice.
                self._gone = True
                return False
            self._ready = True
        return self._way.canary.service.alive()

    def _carry_out(self, action: Action, at_s: float, since_s: float) -> None:
        match action:
            case ScaleUp():
                self._scaled_s = since_s
            case Route(percent):
                self._route(percent)
                self._passage.weights.append((since_s, 100 if self._promoted else percent))
            case Promote():
                # The stable service is the new release from now on. The route follows.
                self._stable_url, self._promoted = self._way.canary.service.url, True
            case ScaleDown(release="new"):
                # Nothing is sent to it any more, and its last request has been answered.
                self._way.canary.service.stop()
                self._gone = True
                self._canary.remove(round(at_s * 1000), self._batch)

    def _route(self, percent: int) -> None:
        canary = Share(self._way.canary.service.url, percent)
        self._way.router.route({STABLE: Share(self._stable_url, 100 - percent), CANARY: canary})


def _labels(track: str, replica: Replica) -> dict[str, str]:
    return {"track": track, "version": replica.version}
