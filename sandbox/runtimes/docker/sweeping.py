"""What runs that are gone left in the daemon: containers, networks, volumes; and images."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from docker.errors import APIError, NotFound

from sandbox import paths
from sandbox.runtimes.docker import bases
from sandbox.runtimes.docker.daemon import IMAGE_LABEL, RUN_LABEL, asking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from docker import APIClient


def sweep(api: APIClient, *, cache: bool) -> list[str]:
    """Remove what is labelled with a run whose process is gone; gives what was done, in lines.

    Args:
        api: the daemon.
        cache: whether the images that were made go, too.

    Raises:
        HarnessFault: the daemon does not.
    """
    done = []
    with asking("the Docker daemon to remove what runs left"):
        for found in _abandoned(api.containers(all=True, filters={"label": RUN_LABEL})):
            api.remove_container(found["Id"], v=True, force=True)
            done.append(f"removed container {found['Id'][:12]}")
        for found in _abandoned(api.networks(filters={"label": RUN_LABEL})):
            api.remove_network(found["Id"])
            done.append(f"removed network {found['Name']}")
        for found in _abandoned(api.volumes(filters={"label": RUN_LABEL})["Volumes"] or []):
            api.remove_volume(found["Name"], force=True)
            done.append(f"removed volume {found['Name']}")
        for found in _abandoned(api.images(filters={"label": RUN_LABEL})):
            # One that a submission described; a part of it may have gone with another.
            with contextlib.suppress(NotFound):
                api.remove_image(found["Id"], force=True)
                done.append(f"removed image {found['Id'].removeprefix('sha256:')[:12]}")
        if cache:
            done += [f"removed image {name}" for name in _remove_images(api)]
    return done


def _abandoned(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for thing in found:
        if paths.is_abandoned(thing["Labels"][RUN_LABEL]):
            yield thing


def _remove_images(api: APIClient) -> Iterator[str]:
    made = api.images(filters={"label": IMAGE_LABEL}, quiet=True)
    # A base has no label where it came from a registry. Who has it for something else has a tag.
    based = api.images(name=bases.REPOSITORY, quiet=True)
    for found in map(api.inspect_image, [*made, *based]):
        for name in found["RepoTags"] + found["RepoDigests"] or [found["Id"]]:
            try:
                api.remove_image(name)
            except NotFound:
                continue
            except APIError as error:
                # A run still uses it.
                if "conflict" not in str(error.explanation):
                    raise
                continue
            yield name
