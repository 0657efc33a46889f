"""Which services make a stack, and how they are wired: a registry and the model service."""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox import models, registry
from sandbox.errors import UsageError
from sandbox.runtimes.specs import CommandSpec, ServiceSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sandbox.runtimes.base import Runtime, Service
    from sandbox.scenario import Scenario
    from sandbox.system.processes import Completed

# How often the service asks the registry who is champion.
POLL_S = 0.5
# What a kit has instead of all that models are trained with.
REGISTRY = "registry"


@dataclass(frozen=True)
class Stack:
    """The running services.

    Args:
        runtime: where they run.
        registry: the MLflow server.
        model: the model service under test.
        workspace: the folder it runs in.
    """

    runtime: Runtime
    registry: Service
    model: Service
    workspace: Path

    def run_pipeline(
        self,
        *arguments: str,
        timeout_s: float,
        environment: Mapping[str, str] | None = None,
        readable: tuple[Path, ...] = (),
        workspace: Path | None = None,
    ) -> Completed:
        """Run a Python module of the workspace (`pipeline.train`, `pytest`) as submission code.

        Args:
            arguments: the module and its arguments.
            timeout_s: seconds it may take.
            environment: variables on top of what every program of the workspace gets.
            readable: what else it may read.
            workspace: another copy of the workspace to run in.
        """
        return self.runtime.run(
            CommandSpec(
                name=f"python -m {arguments[0]}",
                command=(sys.executable, "-m", *arguments),
                workdir=workspace or self.workspace,
                environment={**_environment(self.registry.url), **(environment or {})},
                trusted=False,
                timeout_s=timeout_s,
                readable=readable,
            )
        )


@contextmanager
def running_stack(
    runtime: Runtime, scenario: Scenario, workspace: Path, registry_folder: Path
) -> Iterator[Stack]:
    """Start the services of a workspace and end them with the block.

    Args:
        runtime: where to start them.
        scenario: how the model service is started.
        workspace: the folder with the service's code; it may write there.
        registry_folder: a copy of the trained registry, this stack's own.

    Raises:
        SubmissionFault: the model service did not get ready.
        HarnessFault: the registry did not.
    """
    # Both import for seconds: start them side by side. The service may ask the registry before that
    # is ready, which is what happens in production after an outage, too.
    with (
        registry.launch(runtime, registry_folder) as server,
        runtime.launch(service_spec(scenario, workspace, server.url)) as model,
    ):
        server.wait_ready()
        # A registry that listens and cannot answer would look like a service that does not start.
        registry.champion_version(server.url)
        model.wait_ready()
        yield Stack(runtime, server, model, workspace)


def trained(scenario: Scenario) -> Path:
    """The trained registry that a scenario begins with; every stack gets a copy."""
    if scenario.handed_out is not None:
        return scenario.handed_out / REGISTRY
    begins_with = scenario.releases
    if begins_with is None:
        return models.releases()
    try:
        kinds = [models.Kind(kind) for kind in begins_with.registered]
    except ValueError as error:
        raise UsageError(
            expected=f"releases.registered of {scenario.name} among {list(map(str, models.Kind))}",
            seen=str(error),
            hint="mend scenario.yaml",
        ) from error
    return models.prepared(kinds, begins_with.champion)


def service_spec(
    scenario: Scenario,
    workspace: Path,
    registry_url: str,
    port: int | None = None,
    version: str | None = None,
) -> ServiceSpec:
    """How a scenario's model service is started on a workspace.

    Args:
        scenario: what is started.
        workspace: the folder it runs in.
        registry_url: where it finds models.
        port: where it should answer if that port is free.
        version: the only version it serves; None for the registry's champion.
    """
    command = scenario.service.command
    program = sys.executable if command[0] == "python" else command[0]
    return ServiceSpec(
        name="model service",
        command=(program, *command[1:]),
        workdir=workspace,
        environment={
            **_environment(registry_url),
            **({"MODEL_URI": f"models:/{registry.MODEL}/{version}"} if version else {}),
        },
        ready_path=scenario.service.ready_path,
        ready_within_s=scenario.service.ready_within_s,
        trusted=False,
        port=port,
    )


def copy_registry(releases: Path, destination: Path) -> Path:
    """A stack's own copy of the trained registry, so that nothing a submission does outlasts it."""
    return shutil.copytree(releases, destination)


def _environment(registry_url: str) -> dict[str, str]:
    return {
        **registry.client_environment(registry_url),
        "MODEL_POLL_SECONDS": str(POLL_S),
        # One thread a process: predictions cost microseconds, waking threads costs milliseconds.
        "OMP_NUM_THREADS": "1",
    }
