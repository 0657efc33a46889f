"""Images that submissions describe, for a runtime that can build them.

    with runtime.builder.built(ImageSpec(name="deploy/Dockerfile", ...)) as image:
        image.files("/usr/local/lib", 2**20)

A build is a submission's code like any other: it runs without a network, and what it left is gone
when the block ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sandbox.runtimes.base import Service

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path


@dataclass(frozen=True)
class ImageSpec:
    """An image that a submission describes.

    Args:
        name: what to call it in errors.
        context: the folder that it is built from; its `.dockerignore` counts.
        dockerfile: one instruction a line; it names no image but its own stages and the builder's
            base (see `sandbox/dockerfile.py`).
        within_s: seconds that building may take.
    """

    name: str
    context: Path
    dockerfile: str
    within_s: float


class ImageService(Service, Protocol):
    """An image that runs."""

    def users(self) -> frozenset[int]:
        """Numbers of the users that its programs run as, as the kernel has them."""


class Image(Protocol):
    """An image that was built. What it holds is seen from outside: nothing of it is asked."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that it sets."""

    @property
    def workdir(self) -> str:
        """Where its program runs."""

    def files(self, folder: str, limit_bytes: int) -> Mapping[str, bytes]:
        """What lies below a folder, by path from there; nothing where there is none.

        Raises:
            SubmissionFault: it is more than that.
        """

    def start(
        self,
        environment: Mapping[str, str],
        ready_path: str,
        ready_within_s: float,
        volumes: Sequence[str] = (),
    ) -> ImageService:
        """Run it as it says itself, at the `PORT` that it is given, and wait until it is ready.

        Args:
            environment: variables on top of its own.
            ready_path: path that answers 200 once it is ready.
            ready_within_s: seconds it may take.
            volumes: folders of its working directory that it may write to, whoever it runs as.

        Raises:
            SubmissionFault: it does not get ready.
        """


class Builder(Protocol):
    """Builds images that submissions describe, without a network."""

    def base(self) -> str:
        """What they are built on: a host with the packages that submissions get."""

    def built(self, spec: ImageSpec) -> AbstractContextManager[Image]:
        """An image; it and whatever it was built with is gone with the block.

        Raises:
            SubmissionFault: it cannot be built, or not in time.
        """
