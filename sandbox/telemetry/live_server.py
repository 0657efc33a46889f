"""The Prometheus of a live session: it scrapes and evaluates rules by itself, on the wall clock.

Everything that can be the same as on the simulated clock is: how long a sample stays visible, and
the limits of a scrape. A password there is none, for the candidate opens it in a browser.

Prometheus does not start on a rule file that it refuses, and a candidate's file is often wrong
while it is being edited. So the server never reads that file: it reads the folder `rules/` of its
own, empty at first, into which `accept_rules` copies the file once promtool has accepted the copy.
Until then the rules accepted last go on; that, too, is what Prometheus does on a failed reload.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import urllib3
import yaml

from sandbox.errors import HarnessFault
from sandbox.runtimes.specs import ServiceSpec
from sandbox.system import tools
from sandbox.telemetry import exposition, promtool
from sandbox.telemetry.prometheus import LOOKBACK_SCRAPES, READY_WITHIN_S, milliseconds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sandbox.telemetry.scraping import Target

_RULES_BYTES_MAX = 2**20
_RELOADED_WITHIN_S = 10.0
_CONFIGURATION = "prometheus.yml"
# It counts against the limit of labels, and so do the target's own.
_NAME_LABEL = 1


def live_spec(
    folder: Path, port: int, scrape_interval_s: float, addresses: Sequence[tuple[Target, str]]
) -> ServiceSpec:
    """A server that scrapes targets and evaluates the rules accepted, at the same interval.

    Args:
        folder: where its configuration and samples are kept, its own.
        port: where it should answer on loopback.
        scrape_interval_s: seconds between two scrapes.
        addresses: as of `configure`.

    Raises:
        UsageError: Prometheus is not installed.
    """
    program = tools.find("prometheus")
    configure(folder, scrape_interval_s, addresses)
    return ServiceSpec(
        name="Prometheus",
        command=(
            str(program),
            f"--config.file={folder / _CONFIGURATION}",
            "--web.listen-address=127.0.0.1:{port}",
            "--web.enable-lifecycle",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--query.lookback-delta={milliseconds(LOOKBACK_SCRAPES * scrape_interval_s)}",
            "--log.level=warn",
        ),
        workdir=folder,
        environment={},
        ready_path="/-/ready",
        ready_within_s=READY_WITHIN_S,
        trusted=True,
        port=port,
    )


def configure(
    folder: Path, scrape_interval_s: float, addresses: Sequence[tuple[Target, str]]
) -> None:
    """Write what a server is to scrape; it takes that over at its next start or reload.

    Args:
        folder: the server's, as given to `live_spec`.
        scrape_interval_s: seconds between two scrapes.
        addresses: what is scraped at `/metrics`, one target a job, and its host and port. The
            target's labels win over what the address would give.
    """
    interval = milliseconds(scrape_interval_s)
    configuration = {
        "global": {"scrape_interval": interval, "evaluation_interval": interval},
        "rule_files": [str(folder / "rules" / "*.yaml")],
        "scrape_configs": [
            {
                "job_name": target.job,
                "honor_timestamps": False,
                "body_size_limit": f"{exposition.BODY_BYTES_MAX}B",
                "sample_limit": exposition.SAMPLES_MAX,
                "label_limit": exposition.LABELS_MAX + _NAME_LABEL + len(target.all_labels()),
                "label_name_length_limit": exposition.LABEL_NAME_CHARACTERS_MAX,
                "label_value_length_limit": exposition.LABEL_VALUE_CHARACTERS_MAX,
                "static_configs": [{"targets": [address], "labels": target.all_labels()}],
            }
            for target, address in addresses
        ],
    }
    (folder / _CONFIGURATION).write_text(yaml.safe_dump(configuration, sort_keys=False))


def accept_rules(folder: Path, rules: Path) -> str:
    """Take a rule file over into a server's folder, for its next start or reload.

    Args:
        folder: the server's, as given to `live_spec`.
        rules: the candidate's rule file.

    Returns:
        Why it was not taken over, in words; empty when it was.
    """
    try:
        with rules.open("rb") as file:
            content = file.read(_RULES_BYTES_MAX + 1)
    except OSError as error:
        return f"{rules.name} cannot be read: {error.strerror}"
    if len(content) > _RULES_BYTES_MAX:
        return f"{rules.name} has more than {_RULES_BYTES_MAX:,} bytes"
    accepted = folder / "rules" / "alerts.yaml"
    accepted.parent.mkdir(exist_ok=True)
    # Checked is what will be loaded, not a file that may change in between.
    copy = folder / "offered" / rules.name
    copy.parent.mkdir(exist_ok=True)
    copy.write_bytes(content)
    if problem := promtool.check_rules(copy):
        return problem
    copy.replace(accepted)
    return ""


def reload(url: str) -> None:
    """Have a running server read its rules and its configuration again.

    Raises:
        HarnessFault: it does not answer, or refuses what promtool accepted.
    """
    try:
        answer = urllib3.request(
            "POST", f"{url}/-/reload", timeout=_RELOADED_WITHIN_S, retries=False
        )
        seen = f"status {answer.status}: {answer.data[:500].decode(errors='replace').strip()}"
        if answer.status == 200:  # noqa: PLR2004 - HTTP's own name for it
            return
    except urllib3.exceptions.HTTPError as error:
        seen = f"{type(error).__name__}: {error}"
    raise HarnessFault(expected="Prometheus to reload its configuration", seen=seen)
