"""The network of a run: internal, so that nothing on it finds a way out, and addresses on it.

The harness is on it, too, as its gateway; that is how it asks services.
"""

from __future__ import annotations

import contextlib
import ipaddress
import random
import threading
from typing import TYPE_CHECKING

from docker.errors import APIError, NotFound
from docker.types import IPAMConfig, IPAMPool

from sandbox.errors import HarnessFault
from sandbox.runtimes.docker.daemon import asking

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from docker import APIClient

_TRIES = 5
# An internal network forwards nothing, but the daemon still makes this machine the way to wherever
# else, and all of the machine's own addresses lie there. Under this name the daemon takes another
# address for that, at which nobody is.
_DEFAULT_ROUTE = "DefaultGatewayIPv4"


class Network:
    """An internal network, there from the start to `remove`.

    Args:
        api: the daemon.
        name: what to call it.
        labels: whose it is.

    Raises:
        HarnessFault: the daemon has no room for another one.
    """

    def __init__(self, api: APIClient, name: str, labels: Mapping[str, str]) -> None:
        self.name = name
        self._api = api
        self._lock = threading.Lock()
        self._random = random.SystemRandom()
        self._labels = dict(labels)
        self._subnet, self.gateway = self._create()
        self._taken = {self.gateway, _nobody(self._subnet)}

    def address(self) -> str:
        """An address that nobody has; at random, so that no test finds what it is not given.

        Raises:
            HarnessFault: none is left.
        """
        size = self._subnet.num_addresses
        with self._lock:
            for _ in range(_TRIES * size):
                # The first and the last name the network and everybody on it.
                address = str(self._subnet[self._random.randrange(1, size - 1)])
                if address not in self._taken:
                    self._taken.add(address)
                    return address
        raise HarnessFault(expected=f"a free address in {self._subnet}", seen="none")

    @contextlib.contextmanager
    def passing(self) -> Iterator[str]:
        """An address for the length of the block. Raises as `address` does."""
        address = self.address()
        try:
            yield address
        finally:
            with self._lock:
                self._taken.discard(address)

    def remove(self) -> None:
        """Take it down; nothing may be on it any more. It may be gone already."""
        with asking("the Docker daemon to remove a network"), contextlib.suppress(NotFound):
            self._api.remove_network(self.name)

    def _create(self) -> tuple[ipaddress.IPv4Network, str]:
        """Make it; gives its addresses, and the harness' own among them.

        Twice, for addresses are only ours to give where we choose the range, and only the daemon
        knows which ranges are free on this machine.
        """
        with asking("the Docker daemon to make a network"):
            for _ in range(_TRIES):
                self._make(None)
                chosen = self._api.inspect_network(self.name)["IPAM"]["Config"][0]
                self._api.remove_network(self.name)
                subnet = ipaddress.IPv4Network(chosen["Subnet"])
                pool = IPAMPool(
                    subnet=str(subnet),
                    gateway=chosen["Gateway"],
                    aux_addresses={_DEFAULT_ROUTE: _nobody(subnet)},
                )
                try:
                    self._make(IPAMConfig(pool_configs=[pool]))
                except APIError as error:
                    # Somebody else was given the range in between.
                    if "overlaps" not in str(error.explanation):
                        raise
                else:
                    return subnet, chosen["Gateway"]
        raise HarnessFault(
            expected="addresses for a network", seen=f"another one had them first, {_TRIES} times"
        )

    def _make(self, ipam: IPAMConfig | None) -> None:
        self._api.create_network(
            self.name, driver="bridge", internal=True, labels=self._labels, ipam=ipam
        )


def _nobody(subnet: ipaddress.IPv4Network) -> str:
    """An address that is never given to anybody."""
    return str(subnet[-2])
