"""What services report of their calls [0052, 0078]: kept for the agent, reorganized [0053], and only then answered."""

from __future__ import annotations

from collections.abc import Callable

from ctiex.errors import CodecError, FieldError, Status
from ctiex.fields import Fields
from ctiex.identities import Identity
from ctiex.messages import Condition, ServiceEvent, ServiceEventReply
from ctiex.processing.account import size_of_event
from ctiex.processing.call_look_up import CallLookUp
from ctiex.processing.calls import CallTable
from ctiex.processing.context import ProcessingContext
from ctiex.processing.quotas import Refused, check_fields
from ctiex.processing.states import TRANSITIONS, Step
from ctiex.records import Call, StoredEvent


class Reports:
    """Takes the service events of the calls in the table."""

    def __init__(self, context: ProcessingContext, calls: CallTable, look_up: CallLookUp) -> None:
        self._context = context
        self._calls = calls
        self._look_up = look_up
        self._mailboxes = context.mailboxes
        self._observer = context.observer
        self._quotas = context.quotas

    def report(self, identity: Identity, event: ServiceEvent, reply: Callable[[ServiceEventReply], None]) -> None:
        """Keep a service's report for the agent, reorganized, and only then answer it."""

        def answer(status: Status) -> None:
            reply(ServiceEventReply(event.event_id, status))

        self._look_up.call(
            event.serial,
            lambda call: self._report(identity, event, call, answer),
            lambda: answer(Status.STORE_UNAVAILABLE),
        )

    def _report(
        self, identity: Identity, event: ServiceEvent, call: Call | None, answer: Callable[[Status], None]
    ) -> None:
        digest = self._context.digests.of_report(event)
        try:
            if call is None or not self._calls.owners.owns(identity, call) or event.agent not in ("", call.agent):
                raise Refused(Status.UNKNOWN_SERIAL)
            self._check_new(call, event, digest)
            fields, told = self._reorganized(call, event)
        except Refused as refused:
            self._observer.report_refused(refused.status)
            self._context.commits.refuse(answer, refused.status)
            return
        updated = call.but(owner=identity.name, reports={**call.reports, event.event_id: digest}, refused=False)
        self._commit_report(updated, event.condition, fields, told, answer)

    def _check_new(self, call: Call, event: ServiceEvent, digest: bytes) -> None:
        """:raise Refused: 43, 25 or 24."""
        before = call.reports.get(event.event_id)
        if before is not None:
            raise Refused(Status.DUPLICATE_EVENT if before == digest else Status.EVENT_ID_USED)
        if (call.state, Step.PROGRESS) not in TRANSITIONS:
            raise Refused(Status.ALREADY_FINISHED)

    def _reorganized(self, call: Call, event: ServiceEvent) -> tuple[Fields, StoredEvent]:
        """The agent's fields and event made of a service's, which passes all checks."""
        check_fields(event.fields, self._context.limits)
        try:
            fields = self._context.services[call.service].result.organize(event.fields)
            told = self._mailboxes.compose(call, event.condition, Status.OK, fields)
        except (FieldError, CodecError) as error:
            raise Refused(Status.DATA_TOO_LARGE, str(error)) from None
        except Exception as error:  # anybody's organizer; what it says may hold the data
            raise Refused(Status.INTERNAL, f"the organizer failed with {type(error).__name__}") from None
        if not event.condition.final:
            if not self._takes_progress(call, told):
                raise Refused(Status.QUEUE_FULL)
        elif not self._quotas.has_room_for_end(call.agent, told):
            raise Refused(Status.DATA_TOO_LARGE, "the agent's mailbox has no room for a result of this size")
        return fields, told

    def _takes_progress(self, call: Call, told: StoredEvent) -> bool:
        """Room for the final result is reserved; progress takes what is left."""
        return (
            len(call.reports) < self._context.limits.events_per_call
            and self._context.account.takes_report(call)
            and self._quotas.has_room(call.agent, size_of_event(told))
        )

    def _put_into_call(self, call: Call, fields: Fields) -> None:
        """A result comes back with the customer, in the data of the agent's call too: what is secret doesn't."""
        secret = self._context.services[call.service].result.secret
        if secret:
            fields = Fields.trusted({name: value for name, value in fields.items() if name not in secret})
        self._context.agents_calls.put_result(call.serial, fields)

    def _commit_report(
        self, call: Call, condition: Condition, fields: Fields, told: StoredEvent, answer: Callable[[Status], None]
    ) -> None:
        updated, final = call, condition.final
        if final:
            updated = self._calls.moved(updated, Step.REPORT)
            # The customer may be back already.
            if not self._calls.drivers.of(call).sees_return or Condition.RETURNED in call.told:
                updated = self._calls.moved(updated, Step.RETURN)

        def committed() -> None:
            if final:
                self._calls.finished(updated)
                self._put_into_call(call, fields)
            here = self._context.presence.is_here(call.agent)
            answer(Status.OK if here else Status.QUEUED_AGENT_AWAY)
            self._observer.report_committed(call, condition, final)
            self._mailboxes.committed(told)

        self._calls.commit(updated, committed, lambda: answer(Status.STORE_UNAVAILABLE), told)
