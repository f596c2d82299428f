"""Hears what an exchange answers, at the moment when it does, and holds that against what was promised before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred

from ctiex.errors import Status
from ctiex.identities import Identity
from ctiex.messages import (
    CallQuery,
    CallQueryReply,
    CancelReply,
    CancelRequest,
    ConnectReply,
    ConnectRequest,
    DataRequest,
    ServiceEvent,
    ServiceEventReply,
    UpdateReply,
    UpdateRequest,
)
from ctiex.processing.service import ProcessingService
from ctiex.records import Call, CallState
from ctiex.stores.call_store import CallStore
from ctiex.testing.simulation.witness import Witness, data_of


class Answers:
    """Those of one exchange process."""

    def __init__(self, witness: Witness, store: CallStore) -> None:
        self._witness = witness
        self._ledger = witness.ledger
        self._custody = witness.custody
        self._store = store

    def watch_store(self, identities: Mapping[str, Identity]) -> None:
        """Hear of the data that is given straight from the store, and of its end.

        :param identities: all, by name.
        """
        fetched = self._store.fetched

        def fetched_seen(serial: str, owner: str) -> bytes | None:
            body = fetched(serial, owner)
            if body is not None:
                self._custody.data(identities[owner], serial, Status.OK)
                self._data_given(body)
            return body

        close = self._store.close

        def closed_seen() -> Deferred[None]:
            self._witness.debts.forgive()  # a process that leaves does nothing more
            return close()

        vars(self._store).update(fetched=fetched_seen, close=closed_seen)

    def _data_given(self, body: bytes) -> None:
        """A service is given the data of a call."""
        result = data_of(body)
        self._ledger.hold(
            self._ledger.data.may_be(result.reference, result.fields),
            f"call {result.serial}: its data is given as {result.fields}, which isn't what it was updated to",
        )

    def watch_processing(self, processing: ProcessingService) -> None:
        """Hear every answer."""
        self._watch_services_side(processing)
        self._watch_agents_side(processing)

    def _watch_services_side(self, processing: ProcessingService) -> None:
        data, report = processing.data, processing.report

        def data_seen(identity: Identity, request: DataRequest, answer: Callable[[Any], None]) -> None:
            def answered(found: bytes | Status) -> None:
                status = found if isinstance(found, Status) else Status.OK
                self._custody.data(identity, request.serial, status)
                if isinstance(found, bytes):
                    self._data_given(found)
                answer(found)

            data(identity, request, answered)

        def report_seen(identity: Identity, event: ServiceEvent, reply: Callable[[ServiceEventReply], None]) -> None:
            def answered(message: ServiceEventReply) -> None:
                self._custody.report(identity, event.serial, Status.of(message.status))
                self._ledger.report_promised(event, message.status)
                reply(message)

            report(identity, event, answered)

        vars(processing).update(data=data_seen, report=report_seen)

    def _watch_agents_side(self, processing: ProcessingService) -> None:
        connect, cancel, update, query = processing.connect, processing.cancel, processing.update, processing.query

        def connect_seen(
            identity: Identity, outlet: Any, request: ConnectRequest, reply: Callable[[ConnectReply], None]
        ) -> None:
            def answered(message: ConnectReply) -> None:
                self._ledger.connect_promised(request.reference, message.status)
                if message.status == Status.OK:
                    self._witness.owe_offer(message.serial, "it was acknowledged")
                reply(message)

            connect(identity, outlet, request, answered)

        def cancel_seen(identity: Identity, request: CancelRequest, reply: Callable[[CancelReply], None]) -> None:
            def answered(message: CancelReply) -> None:
                if message.status == Status.OK:
                    self._ledger.cancelled[self._ledger.use_now(request.serial)] = self._ledger.promise(True)
                reply(message)

            cancel(identity, request, answered)

        def update_seen(identity: Identity, request: UpdateRequest, reply: Callable[[UpdateReply], None]) -> None:
            use, data = self._ledger.use_now(request.serial), self._ledger.data
            data.update_asked(use, request.fields)

            def answered(message: UpdateReply) -> None:
                kept = message.status == Status.OK
                data.update_answered(use, request.fields, kept)
                if kept:
                    self._ledger.counts["updates acknowledged"] += 1
                    self._witness.owe_change(request.serial)
                reply(message)

            update(identity, request, answered)

        def query_seen(identity: Identity, asked: CallQuery, reply: Callable[[CallQueryReply], None]) -> None:
            is_so = self._open_of(asked.agent)

            def answered(message: CallQueryReply) -> None:
                if message.status != Status.STORE_UNAVAILABLE:
                    self._queried(asked.agent, is_so, message)
                reply(message)

            query(identity, asked, answered)

        vars(processing).update(connect=connect_seen, cancel=cancel_seen, update=update_seen, query=query_seen)

    def _open_of(self, agent: str) -> list[Call]:
        return [call for call in self._store.calls() if call.agent == agent and call.state is not CallState.CLOSED]

    def _queried(self, agent: str, calls: list[Call], reply: CallQueryReply) -> None:
        """The calls of an agent number that were open when it was asked are told."""
        is_so = sorted((call.reference, call.state.value) for call in calls)
        told = sorted((call.reference, call.state.name.lower()) for call in reply.calls)
        begun = [next((call.begun for call in calls if call.serial == one.serial), 0) for one in reply.calls]
        wrong = f"agent {agent} is told that these calls are open: {told}, and these are: {is_so}, begun at {begun}"
        self._ledger.hold(reply.status == Status.OK and told == is_so and begun == sorted(begun), wrong)
