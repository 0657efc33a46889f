"""The model that answers: found, loaded aside, then swapped in one assignment.

Which version that should be is what the registry's champion says, except from an order (`order`) on
until the registry has taken it down: then it is the order's. Requests never wait for any of this.
"""

from __future__ import annotations

import logging
import os
import threading

from pipeline.model import CHAMPION, Model, load, resolve
from pipeline.release import Record, write

from service.store import AWAY, Store, is_unknown

log = logging.getLogger(__name__)

POLL_SECONDS = float(os.environ.get("MODEL_POLL_SECONDS", "2"))
# `models:/flight-delay/3` pins one version: then no alias is asked for.
MODEL_URI = os.environ.get("MODEL_URI", CHAMPION)
# Such a replica takes no orders and keeps nothing for later: the folder is the champion's.
PINNED = MODEL_URI != CHAMPION

# MLflow would try again by itself after ever longer pauses. We ask again anyway, and sooner.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")


class OrderError(Exception):
    """Why a version cannot be served, in words."""


class UnknownVersionError(OrderError):
    """Nobody has that version."""


class Champion:
    """Keeps the wanted version loaded. The last good one serves while that cannot be had."""

    def __init__(self) -> None:
        self.model: Model | None = None
        self._store = Store()
        self._order: Record | None = None
        # How many there were. What was found out before the newest one is out of date.
        self._orders = 0
        # The registry's champion as last seen, and the version that turned out not to load.
        self._champion = self._broken = ""
        # Held to decide, never to load. `_ordering` lets one order be carried out at a time.
        self._deciding, self._ordering = threading.Lock(), threading.Lock()
        self._stopped, self._called = threading.Event(), threading.Event()

    def start(self) -> None:
        """Follow the registry in a thread of its own."""
        self._order = None if PINNED else self._store.order()
        threading.Thread(target=self._follow, name="champion", daemon=True).start()

    def stop(self) -> None:
        """Stop following."""
        self._stopped.set()
        self._called.set()

    def order(self, version: str, *, by: str, at: str, why: str) -> str:
        """Serve a version from now on, and have the registry take it down as champion.

        Ordering what is wanted anyway, and answers, changes nothing.

        Returns:
            The version that was wanted before.

        Raises:
            UnknownVersionError: neither the registry nor the store has it.
            OrderError: it cannot be had or does not load; what answered goes on answering.
        """
        if PINNED:
            raise OrderError(f"this replica serves {MODEL_URI} and nothing else")
        with self._ordering:
            previous = self._wanted()
            answering = self.model is not None and self.model.version == version
            if version == previous and answering:
                return previous
            model = self._loaded(version)
            with self._deciding:
                self._orders += 1
                if version != previous:
                    order = Record(version=version, previous=previous, by=by, at=at, why=why)
                    # On disk first: after a crash in between, the next start carries it out.
                    self._store.keep_order(order)
                    self._order = order
                self._swap(model)
        self._called.set()
        return previous

    def _wanted(self) -> str:
        """The version that should answer. The registry knows of a deploy before we do."""
        if self._order is not None:
            return self._order.version
        try:
            return resolve(MODEL_URI)
        except AWAY:
            return self._champion or (self.model.version if self.model else "")

    def _loaded(self, version: str) -> Model:
        try:
            folder = self._store.fetch(version)
        except AWAY as error:
            if is_unknown(error):
                raise UnknownVersionError(f"there is no version {version}") from error
            raise OrderError(f"version {version} is not here, and cannot be fetched") from error
        model = self._read(version, str(folder))
        if model is None:
            raise OrderError(f"version {version} cannot be loaded")
        return model

    def _read(self, version: str, folder: str) -> Model | None:
        """Load a version that was fetched; None where that fails."""
        try:
            return load(folder)
        except Exception:  # what a version runs while it loads is its own, and may raise anything
            log.exception("version %s cannot be loaded", version)
            self._store.forget(version)
            return None

    def _follow(self) -> None:
        away = False
        while not self._stopped.is_set():
            try:
                self._attend()
                away = False
            except AWAY as error:
                # Once is enough; and while there is no model yet, the registry is starting as well.
                if self.model is not None and not away:
                    log.warning("the registry is away: %s", error)
                    away = True
            if self.model is None:
                self._resume()
            # Until there is a model nobody can be answered: ask again soon.
            self._called.wait(POLL_SECONDS if self.model else 0.1)
            self._called.clear()

    def _attend(self) -> None:
        """Have the order taken down; where there is none, see who is champion."""
        with self._deciding:
            order, orders = self._order, self._orders
        if order is not None:
            write(order)
            with self._deciding:
                if self._order is order:
                    self._order, self._champion = None, order.version
                    self._store.forget_order()
            return
        version = resolve(MODEL_URI)
        with self._deciding:
            if orders != self._orders:
                return
            if version != self._champion:
                self._champion, self._broken = version, ""
        if version == self._broken or (self.model and self.model.version == version):
            return
        model = self._read(version, str(self._store.fetch(version)))
        with self._deciding:
            if model is None:
                self._broken = version
            elif orders == self._orders:
                self._swap(model)

    def _resume(self) -> None:
        """Serve what was ordered or served last, from the store alone."""
        if PINNED:
            return
        version = self._order.version if self._order else self._store.serving()
        if not version or not self._store.has(version):
            return
        model = self._read(version, str(self._store.fetch(version)))
        with self._deciding:
            if model is not None and self.model is None:
                self._swap(model)

    def _swap(self, model: Model) -> None:
        self.model = model
        if not PINNED:
            self._store.serves(model.version)
        log.warning("serving version %s", model.version)
