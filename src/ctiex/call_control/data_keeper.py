"""Keeps the data of calls: in the store first, then in the call, and then it is told."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve

from ctiex.call_control import data
from ctiex.call_control.calls import AgentCall, AgentCalls
from ctiex.call_control.requests import CallRequests
from ctiex.call_control.telling import Telling
from ctiex.call_messages import CallChange, CallData, CallDataReply
from ctiex.errors import CallError, Status
from ctiex.fields import Fields
from ctiex.identities import Identity
from ctiex.processing.context import ProcessingContext

Answer = Callable[[CallDataReply], None]


class DataKeeper:
    """The data of the calls of one platform."""

    def __init__(
        self, context: ProcessingContext, calls: AgentCalls, requests: CallRequests, telling: Telling
    ) -> None:  # fmt: skip
        self._context = context
        self._calls = calls
        self._requests = requests
        self._telling = telling
        self._of_before: dict[str, data.KeptData] = {}
        """What the store has of calls that weren't seen yet, by their ids."""

    def start(self) -> None:
        """Take up what the opened store has of calls."""
        kept = self._context.store.metadata_beginning(data.LABEL)
        self._of_before = dict(data.read(kept, self._context.agent_codec))

    def of_before(self, id: str) -> data.KeptData | None:
        """What the store had of a call that is seen for the first time."""
        return self._of_before.pop(id, None)

    def leave_out(self, is_gone: Callable[[str], bool]) -> None:
        """Forget the calls of before that are over."""
        for id in [id for id in self._of_before if is_gone(id)]:
            del self._of_before[id]
            self._context.commits.commit(data.forgotten(AgentCall(id)))

    def change(self, identity: Identity, request: CallData, answer: Answer) -> None:
        """Change the data of a call, if it is of the version that the client knows."""
        try:
            if not identity.may_see(request.agent):
                raise CallError(Status.NO_SUCH_CALL)
            call = self._requests.call_of(request.agent, request.call)
            if call.coming is not None:
                raise CallError(Status.CALL_BUSY)
            fields = data.checked(call, request, self._context.limits.fields_per_message)
        except CallError as error:
            answer(self._refused(identity, request, error))
            return
        self._keep(call, fields, lambda reply: answer(self._shown(identity, request, call, reply)))

    def _shown(self, identity: Identity, request: CallData, call: AgentCall, reply: CallDataReply) -> CallDataReply:
        """A reply as the one who asked may see it: a secret is the agent's who has the call."""
        return evolve(reply, fields=self._telling.shown(call, reply.fields, identity, request.agent))

    def _refused(self, identity: Identity, request: CallData, error: CallError) -> CallDataReply:
        call = self._calls.get(request.call)
        if error.status is not Status.DUPLICATE_SERIAL or call is None:
            return CallDataReply(error.status, detail=error.detail)
        return self._shown(
            identity, request, call, CallDataReply(error.status, call.version, call.fields, error.detail)
        )

    def put_over(self, call: AgentCall, fields: Fields) -> None:
        """Put fields over the data of a call, whatever version it is of."""
        if fields:
            _, latest = call.coming or (call.version, call.fields)
            self._keep(call, data.put_over(latest, fields), lambda reply: None)

    def _keep(self, call: AgentCall, fields: Fields, answer: Answer) -> None:
        latest, _ = call.coming or (call.version, call.fields)
        kept = CallDataReply(Status.OK, latest + 1, fields)
        if not self._context.fits_agent_link(kept):
            answer(CallDataReply(Status.DATA_TOO_LARGE, call.version))
            return
        call.coming = coming = kept.version, fields

        def committed() -> None:
            call.version, call.fields = coming
            call.coming = None if call.coming is coming else call.coming
            self._telling.call_changed(call, CallChange.DATA_CHANGED, 0, call.agents())
            answer(kept)

        def failed() -> None:
            call.coming = None
            answer(CallDataReply(Status.STORE_UNAVAILABLE, call.version))

        change = data.kept(call, kept.version, fields, self._context.agent_codec)
        self._context.commits.commit(change, committed, failed)

    def forget(self, call: AgentCall) -> None:
        """A call is over."""
        if call.version or call.coming is not None:
            self._context.commits.commit(data.forgotten(call))
