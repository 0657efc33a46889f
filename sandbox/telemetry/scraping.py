"""Scraping a target as Prometheus does, at times that the caller says.

What Prometheus adds to what a service exports (its documentation, "Jobs and instances" and
"Staleness"; its code, scrape/scrape.go):

- the target's own labels, which win: a label of the service by the same name is kept as
  `exported_*` (`honor_labels: false`);
- `up`, and four series about the scrape itself;
- a stale marker for each series that was there at the last scrape and is not at this one, and for
  every series of a target that cannot be scraped or is gone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from sandbox.telemetry.exposition import SAMPLES_MAX, Exposition, UnreadableError
from sandbox.telemetry.series import NAME, STALE, Labels, series

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from sandbox.telemetry.remote_write import Batch
    from sandbox.traffic.client import Answer, Client

PATH = "/metrics"
# Different series of a target, however few at a time. A Prometheus dies of labels that never repeat
# sooner or later, and this one's death would be taken for the harness's fault.
SERIES_MAX = 4 * SAMPLES_MAX

_REDIRECTS = (301, 302, 307, 308)
_CLASH = "exported_"
# What the scrape says about itself. A service cannot say it in its place.
_REPORTED = (
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
)


@dataclass(frozen=True)
class Target:
    """What is scraped.

    Args:
        job: the `job` label, which says what it is.
        instance: the `instance` label, which says which one it is.
        labels: further labels of the target, such as `track` and `version`.
    """

    job: str
    instance: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def all_labels(self) -> dict[str, str]:
        """Every label that its series get."""
        return {**self.labels, "job": self.job, "instance": self.instance}


def fetch(client: Client) -> Answer:
    """Ask for `/metrics`, following the redirect that an application mounted there answers with."""
    answer = client.ask("GET", PATH)
    return client.ask("GET", f"{PATH}/") if answer.status in _REDIRECTS else answer


def read(answer: Answer, exposition: Exposition) -> tuple[dict[Labels, float], str]:
    """The samples of an answer, and what is wrong with it in words; one of the two is empty."""
    if answer.problem:
        return {}, f"{PATH} gave no answer to read: {answer.problem}"
    if answer.status != HTTPStatus.OK:
        return {}, f"{PATH} answered status {answer.status}"
    try:
        return exposition.parse(answer.body), ""
    except UnreadableError as error:
        return {}, f"{PATH} cannot be read: {error}"


class Scraper:
    """Scrapes one target again and again.

    Args:
        target: whose labels the series get.
        fetch: asks the target for its metrics once.

    Attributes:
        last: the series as stored, with their values, of the last scrape that succeeded.
    """

    def __init__(self, target: Target, fetch: Callable[[], Answer]) -> None:
        self._added = target.all_labels()
        self._fetch = fetch
        self._exposition = Exposition()
        self._stored: dict[Labels, Labels] = {}
        self.last: Mapping[Labels, float] = {}
        # What stale markers are due for: the series there are, and whether there is a report.
        self._there: dict[Labels, float] = {}
        self._known = False
        self._reported = tuple(series(name, self._added) for name in _REPORTED)

    @property
    def series(self) -> Collection[Labels]:
        """Every series that any scrape had, as stored."""
        return self._stored.values()

    def scrape(self, at_ms: int, batch: Batch) -> str:
        """Scrape once: its samples go into the batch.

        Args:
            at_ms: the simulated time of the scrape, in milliseconds since 1970.
            batch: where samples and stale markers go.

        Returns:
            What is wrong, in words; empty where nothing is.
        """
        answer = self._fetch()
        exposed, problem = read(answer, self._exposition)
        so_far = len(self._stored) + sum(1 for labels in exposed if labels not in self._stored)
        if so_far > SERIES_MAX:
            exposed = {}
            problem = (
                f"{PATH} had {so_far:,} different series since the first scrape, more than "
                f"{SERIES_MAX:,}: some label never repeats its values"
            )
        self._write(at_ms, batch, exposed, up=not problem, took_s=answer.latency_ms / 1000)
        return problem

    def lose(self, at_ms: int, batch: Batch) -> None:
        """What a scrape gives when the target cannot be reached; nothing is asked."""
        self._write(at_ms, batch, {}, up=False, took_s=0.0)

    def remove(self, at_ms: int, batch: Batch) -> None:
        """The target is gone from discovery: all its series end, `up` included."""
        for labels in [*self._there, *(self._reported if self._known else ())]:
            batch.add(labels, at_ms, STALE)
        self._there, self._known = {}, False

    def _write(
        self, at_ms: int, batch: Batch, exposed: Mapping[Labels, float], *, up: bool, took_s: float
    ) -> None:
        now: dict[Labels, float] = {}
        for labels, value in exposed.items():
            # Two series may become one by a label's renaming; the first one stays.
            now.setdefault(self._stored.get(labels) or self._store(labels), value)
        for labels in self._reported:
            now.pop(labels, None)
        for labels, value in now.items():
            batch.add(labels, at_ms, value)
        for labels in self._there:
            if labels not in now:
                batch.add(labels, at_ms, STALE)
        report = (up, took_s, len(exposed), len(exposed), len(now.keys() - self._there.keys()))
        for labels, number in zip(self._reported, report, strict=True):
            batch.add(labels, at_ms, float(number))
        self._there, self._known = now, True
        if up:
            self.last = now

    def _store(self, exposed: Labels) -> Labels:
        """A series as it is stored: see `resolveConflictingExposedLabels` in scrape/scrape.go."""
        own = dict(exposed)
        clashing = sorted(own.keys() & self._added.keys(), key=lambda name: (len(name), name))
        labels = {name: value for name, value in own.items() if name not in self._added}
        labels |= self._added
        for name in clashing:
            renamed = _CLASH + name
            while renamed in labels:
                renamed = _CLASH + renamed
            labels[renamed] = own[name]
        stored = series(labels.pop(NAME), labels)
        self._stored[exposed] = stored
        return stored
