"""The processing service [0049-0053]: calls keyed on their call serial number.

Pure logic. Requests come in as messages with the identity that sent them; answers go out
through a callback, since a store may have to wait. Time is the clock's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ctiex.errors import CallError, Status
from ctiex.fields import Fields
from ctiex.identities import Identity
from ctiex.interfaces import ISignalling, ISignallingListener, decoded
from ctiex.messages import (
    KIND_OF,
    CallQuery,
    CallQueryReply,
    CancelReply,
    CancelRequest,
    Condition,
    ConnectReply,
    ConnectRequest,
    DataRequest,
    DataResult,
    Role,
    ServiceEvent,
    ServiceEventReply,
    UpdateReply,
    UpdateRequest,
)
from ctiex.processing.call_look_up import CallLookUp
from ctiex.processing.calls import CallTable
from ctiex.processing.context import ProcessingContext
from ctiex.processing.offers import CallOffers
from ctiex.processing.presence import AgentConnection
from ctiex.processing.quotas import Refused
from ctiex.processing.reports import Reports
from ctiex.processing.request_checks import is_repeat, new_call, updated_call
from ctiex.processing.signalling_listener import SignallingListener
from ctiex.processing.states import ENDED, SIGNALLED, TRANSITIONS, WITH_SERVICE, Step
from ctiex.records import Call, CallState


class ProcessingService:
    """Stores calls, answers for their data, and brings the results to their agents."""

    def __init__(self, context: ProcessingContext) -> None:
        self._context = context
        self._store = context.store
        self._mailboxes = context.mailboxes
        self._quotas = context.quotas
        self._presence = context.presence
        self._observer = context.observer
        self._commits = context.commits
        self._calls = CallTable(context)
        self._offers = CallOffers(context, self._calls)
        self._look_up = CallLookUp(context, self._calls)
        self._reports = Reports(context, self._calls, self._look_up)
        self.listener: ISignallingListener = SignallingListener(context, self._calls, self._offers)
        """Hears what signalling meets."""
        self.leaving = False
        """Whether new calls are refused because the exchange is shutting down."""

    @property
    def exchange_address(self) -> str:
        """The advertised address of the IVR link."""
        return self._context.exchange_address

    @property
    def calls_open(self) -> int:
        """How many calls aren't closed."""
        return self._quotas.calls_open

    def start(self, drivers: Mapping[str, ISignalling], taken_up: Callable[[], None] = lambda: None) -> None:
        """Go on with the calls of an opened store; signal new ones by these drivers, by name.

        :param taken_up: called once all calls that were being signalled have been offered again.
        """
        self._context.go_on()
        self._mailboxes.start()
        self._calls.start()
        self._offers.start(drivers, taken_up)

    def drain(self) -> None:
        """Take no new calls from now on; those under way go on."""
        self._commits.tell_time()
        self.leaving = True

    def stop_resuming(self) -> None:
        """Leave calls that are being signalled, and those of before that aren't taken up yet, to the next start."""
        self._offers.stop_resuming()

    def withdraw_offers(self) -> None:
        """Hang up what is being signalled."""
        for call in self._store.calls():
            if call.state in SIGNALLED:
                self._calls.drivers.withdraw(call)

    def stop(self) -> None:
        """Let go of the timers."""
        self._offers.stop_resuming()
        self._calls.stop()
        self._mailboxes.stop()
        self._commits.stop()

    # ------------------------------------------------------------ the agent's side

    def agent_logged_in(self, agent: str) -> None:
        """An agent number was logged in, and its reply is written."""
        self._calls.drivers.agent_logged_in(agent)

    def connect(
        self,
        identity: Identity,
        connection: AgentConnection,
        request: ConnectRequest,
        reply: Callable[[ConnectReply], None],
    ) -> None:
        """Store a call, then acknowledge it, then signal it [0040, 0049]."""
        self._look_up.call(
            request.serial,
            lambda known: self._connect(identity, connection, request, reply, known),
            lambda: reply(_connect_refused(request, Status.STORE_UNAVAILABLE)),
        )

    def _connect(
        self,
        identity: Identity,
        connection: AgentConnection,
        request: ConnectRequest,
        reply: Callable[[ConnectReply], None],
        known: Call | None,
    ) -> None:
        try:
            if is_repeat(self._context, request, connection, known):
                self._commits.settled(
                    lambda: reply(ConnectReply(Status.OK, request.serial)),
                    lambda: reply(_connect_refused(request, Status.STORE_UNAVAILABLE)),
                )
                return
            call = new_call(self._context, identity, request)
            self._check_limits(call)
        except Refused as refused:
            self._observer.call_refused(refused.status)
            self._answer_refused(request, refused, reply)
            return
        self._calls.opened(call)
        self._calls.commit(
            call, lambda: self._connect_committed(call, reply), lambda: self._connect_failed(call, request, reply)
        )

    def _answer_refused(self, request: ConnectRequest, refused: Refused, reply: Callable[[ConnectReply], None]) -> None:
        def answer(status: Status) -> None:
            detail = refused.detail if status is refused.status else status.text
            reply(ConnectReply(status, request.serial, detail=detail))

        self._commits.refuse(answer, refused.status)

    def _check_limits(self, call: Call) -> None:
        if self.leaving:
            raise Refused(Status.GOING_AWAY)
        if not self._quotas.has_room_for_one_more_end(call.agent):
            raise Refused(Status.QUEUE_FULL, "the agent's mailbox has no room for the end of this call")
        self._quotas.check(call)

    def _connect_committed(self, call: Call, reply: Callable[[ConnectReply], None]) -> None:
        self._observer.call_committed()
        reply(ConnectReply(Status.OK, call.serial))
        self._offers.signal(call.serial)

    def _connect_failed(self, call: Call, request: ConnectRequest, reply: Callable[[ConnectReply], None]) -> None:
        self._calls.not_committed(call)
        reply(_connect_refused(request, Status.STORE_UNAVAILABLE))

    def cancel(self, identity: Identity, request: CancelRequest, reply: Callable[[CancelReply], None]) -> None:
        """End a call for its agent, who hears 16."""

        def answer(status: Status) -> None:
            reply(CancelReply(status, request.serial, "" if status is Status.OK else status.text))

        def found(call: Call | None) -> None:
            if call is None or not identity.may_act_for(call.agent):
                answer(Status.UNKNOWN_SERIAL)
            elif (call.state, Step.END) not in TRANSITIONS:
                self._commits.refuse(answer, Status.ALREADY_FINISHED)
            else:
                self._calls.end(call, Condition.CANCELLED, answer=answer)

        self._look_up.call(request.serial, found, lambda: answer(Status.STORE_UNAVAILABLE))

    def update(self, identity: Identity, request: UpdateRequest, reply: Callable[[UpdateReply], None]) -> None:
        """Correct the data of a call; a service that has fetched it hears of that."""

        def answer(status: Status, detail: str = "") -> None:
            reply(UpdateReply(status, request.serial, "" if status is Status.OK else detail or status.text))

        def found(call: Call | None) -> None:
            if call is None or not identity.may_act_for(call.agent):
                answer(Status.UNKNOWN_SERIAL)
            elif call.state in ENDED:
                self._commits.refuse(answer, Status.ALREADY_FINISHED)
            else:
                self._update(call, request, answer)

        self._look_up.call(request.serial, found, lambda: answer(Status.STORE_UNAVAILABLE))

    def _update(self, call: Call, request: UpdateRequest, answer: Callable[..., None]) -> None:
        try:
            updated = updated_call(self._context, call, request.fields)
        except Refused as refused:
            self._observer.update_refused(refused.status)
            answer(refused.status, refused.detail)
        else:
            self._calls.update(call, updated, answer)

    def query(self, identity: Identity, query: CallQuery, reply: Callable[[CallQueryReply], None]) -> None:
        """Answer with the open hand-offs of an agent number, the oldest first, as many as fit a frame."""
        if not identity.may_act_for(query.agent):
            reply(CallQueryReply(Status.NOT_ALLOWED_HERE))
            return
        self._calls.open.query(query, reply)

    # ------------------------------------------------------------ the service's side

    def data(self, identity: Identity, request: DataRequest, answer: Callable[[bytes | Status], None]) -> None:
        """Answer with the encoded body of the call's DataResult, or the status that refuses it [0050, 0051]."""
        if request.exchange_address and request.exchange_address != self.exchange_address:
            answer(self._data_refused(Status.OTHER_EXCHANGE))
            return
        self._look_up.call(
            request.serial,
            lambda call: answer(self._data_of(identity, call)),
            lambda: answer(self._data_refused(Status.STORE_UNAVAILABLE)),
        )

    def _data_of(self, identity: Identity, call: Call | None) -> bytes | Status:
        if call is None or not self._calls.owners.owns(identity, call) or not self._gives_data(call):
            return self._data_refused(Status.UNKNOWN_SERIAL)
        # Offers are withdrawn by an exchange that is shutting down, and made again by the next one.
        if self._calls.is_leaving(call.serial) or (self.leaving and call.state in SIGNALLED):
            return self._data_refused(Status.STORE_UNAVAILABLE)
        if call.state is not CallState.FETCHED or call.refused:
            self._fetched(call, identity)
        return call.data

    @staticmethod
    def _gives_data(call: Call) -> bool:
        """Whether a service may have the customer: not once they are back with their agent, whatever comes late."""
        too_late = Condition.RETURNED in call.told and call.state is CallState.CONNECTED
        return call.state in WITH_SERVICE and not too_late

    @property
    def fetched(self) -> Callable[[str, str], bytes | None]:
        """The body that :meth:`data` gives again for a serial to an identity that was given it before, else None.

        The store's own look-up: a DataRequest asks nothing else where the answer is in memory.
        """
        return self._store.fetched

    def keeps_too_long(self) -> bool:
        """Whether data is kept that the IVR link's frames don't take: it was stored under another limit. O(calls)."""
        length, most = self._context.codec.frame_length, self._context.ivr_link.max_frame
        return any(length(call.data) > most for call in self._store.calls())

    def fields(self, identity: Identity, serial: str) -> Fields:
        """The call's data for a service of this process, organized like any other's.

        :raise CallError: 20, the call isn't (or is no longer) this identity's; 50, it isn't in this process' memory.
        """
        answers: list[bytes | Status] = []
        self.data(identity, DataRequest(serial), answers.append)
        body = answers[0] if answers else Status.STORE_UNAVAILABLE
        refused = body if isinstance(body, Status) else None
        reason = self.why_unknown(identity, serial) if refused is Status.UNKNOWN_SERIAL else ""
        self._observer.data_asked_here(identity, serial, refused, reason)
        if isinstance(body, Status):
            raise CallError(body)
        result = decoded(self._context.codec, KIND_OF[DataResult], body)
        assert isinstance(result, DataResult)
        return result.fields

    def why_unknown(self, identity: Identity, serial: str) -> str:
        """Why an identity was just answered 20 about a serial: for the audit alone, no answer may tell it."""
        call = self._store.get(serial)
        if call is None:
            return "no such call"
        if identity.role is Role.AGENT:
            return "not a call of its agent numbers"
        if not self._calls.owners.owns(identity, call):
            return "not offered to this identity"
        if not self._gives_data(call):
            return "over" if call.state in ENDED else "the customer is back with the agent"
        return "not a call of that agent number"

    def _data_refused(self, status: Status) -> Status:
        self._observer.data_refused()
        return status

    def _fetched(self, call: Call, identity: Identity) -> None:
        if (call.state, Step.FETCH) in TRANSITIONS:  # not again once it has reported
            self._observer.data_fetched()
        elif not call.refused:
            return
        self._calls.fetched(call, identity)

    def report(self, identity: Identity, event: ServiceEvent, reply: Callable[[ServiceEventReply], None]) -> None:
        """Keep a service's report for the agent, reorganized [0053], and only then answer it."""
        self._reports.report(identity, event, reply)


def _connect_refused(request: ConnectRequest, status: Status) -> ConnectReply:
    return ConnectReply(status, request.serial, detail=status.text)
