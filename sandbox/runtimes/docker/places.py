"""Where services answer: addresses that stay when a service is gone.

A container that does nothing keeps the address, and services come and go in its network namespace.
So whoever asks for a service that has ended is refused at once, as on a machine where a program has
ended; with nobody at the address the question would hang for seconds, and tell on the clock of
whatever is graded.
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.runtimes.docker import containers

if TYPE_CHECKING:
    from docker import APIClient

    from sandbox.runtimes.docker.container import Container
    from sandbox.runtimes.docker.containers import Surroundings
    from sandbox.runtimes.docker.network import Network

PORTS = range(20_000, 32_000)


@dataclass(frozen=True)
class Place:
    """An address and a port on the network of a run.

    Args:
        address: where.
        port: which.
        keeper: the container that keeps the address.
    """

    address: str
    port: int
    keeper: Container


class Places:
    """The places of a run, each for one service at a time.

    Args:
        api: the daemon.
        surroundings: what containers have in common.
        network: gives the addresses.
    """

    def __init__(self, api: APIClient, surroundings: Surroundings, network: Network) -> None:
        self._api = api
        self._surroundings = surroundings
        self._network = network
        self._lock = threading.Lock()
        self._places: dict[int, Place] = {}
        self._tenants: dict[int, Container] = {}

    def find(self, wanted: int | None) -> Place:
        """A place for a service.

        Args:
            wanted: the port it should have. Where no service runs at it, that place is handed on.

        Raises:
            HarnessFault: the daemon has no room for another one.
        """
        with self._lock:
            if wanted is None or self._is_taken(wanted):
                # Two runs should differ, and nobody guesses.
                ports = random.SystemRandom().sample(PORTS, len(PORTS))
                wanted = next(port for port in ports if port not in self._places)
            if wanted not in self._places:
                address = self._network.address()
                keeper = containers.create_keeper(self._api, self._surroundings, address)
                keeper.start()
                self._places[wanted] = Place(address, wanted, keeper)
            return self._places[wanted]

    def settle(self, place: Place, tenant: Container) -> None:
        """Say who is in a place from now on."""
        with self._lock:
            self._tenants[place.port] = tenant

    def clear(self) -> None:
        """Remove all of them; nothing may be in them any more."""
        with self._lock:
            places = list(self._places.values())
            self._places.clear()
        for place in places:
            place.keeper.remove()

    def _is_taken(self, port: int) -> bool:
        tenant = self._tenants.get(port)
        return tenant is not None and tenant.end() is None
