"""The audit of what agents and services ask and are told of a call after it was handed off."""

from __future__ import annotations

from ctiex.fields import Fields
from ctiex.limits import SessionLimits
from ctiex.links import rules
from ctiex.messages import (
    Bind,
    CallEnded,
    CallQuery,
    CallQueryReply,
    Condition,
    DataChanged,
    DataChangedReply,
    Feature,
    Ping,
    Role,
    Unbind,
    UpdateRequest,
)
from ctiex.monitoring import audit_trail
from ctiex.monitoring.audit_events import AuditEvent
from ctiex.testing.fakes import FakeService

from .recorded_audit import MARKER, NUMBER, AuditCase


class RequestTests(AuditCase):
    """Updates, queries, notices, and the statuses that tell why something was refused."""

    def test_an_update_is_told_and_that_the_service_has_heard_of_it(self) -> None:
        service, _, _ = self.exchange.link_service(FakeService())
        service.send(Bind(Role.SERVICE, "services", "secret", features="updates"))
        agent = self.exchange.agent("1001")
        agent.connect("1001", "bill", "7", NUMBER)
        self.exchange.pump()
        service.fetch("7")
        self.exchange.pump()
        agent.send(UpdateRequest("7", Fields({"pin": MARKER})))
        self.exchange.pump()
        (kept,) = self.audit.of(AuditEvent.UPDATE_KEPT)
        self.assertEqual((kept["serial"], kept["identity"], kept["status"]), ("7", "agents", 0))
        self.assertNotIn("change_told", self.audit.told, "it hasn't answered yet")
        ((asked, _),) = [received for received in service.received if isinstance(received[1], DataChanged)]
        service.send(DataChangedReply(), asked)
        self.exchange.pump()
        (told,) = self.audit.of(AuditEvent.CHANGE_TOLD)
        (offered,) = self.audit.of(AuditEvent.CALL_OFFERED)
        self.assertEqual((told["serial"], told["session"]), ("7", offered["session"]))
        self.assertNotIn(MARKER, self.audit.text())

    def test_the_end_that_a_service_has_heard_of_is_told(self) -> None:
        agent, service = self.hand_off()
        agent.cancel("7")
        self.exchange.pump()
        (told,) = self.audit.of(AuditEvent.END_TOLD)
        (offered,) = self.audit.of(AuditEvent.CALL_OFFERED)
        self.assertEqual((told["serial"], told["condition"], told["session"]), ("7", 16, offered["session"]))
        self.assertEqual(len(service.every(CallEnded)), 1)

    def test_a_query_is_told_by_its_agent_number(self) -> None:
        agent, _ = self.hand_off()
        self.exchange.agent(identity="others").send(CallQuery("1001"))
        agent.send(CallQuery("1001"))
        self.exchange.pump()
        told = [
            (event.value, about["identity"], about["agent"], about["status"])
            for event, about in self.audit.records
            if event.value.startswith("query")
        ]
        self.assertEqual(
            sorted(told), [("query_answered", "agents", "1001", 0), ("query_refused", "others", "1001", 5)]
        )

    def test_a_query_whose_answer_is_cut_short_is_no_refusal(self) -> None:
        self.exchange = self.make(session_limits=SessionLimits(max_frame=1_024))
        agent = self.exchange.agent("1001")
        for number in range(80):
            agent.connect("1001", "bill", str(number), NUMBER)
        self.exchange.pump()
        asked = agent.send(CallQuery("1001"))
        self.exchange.pump()
        reply = agent.answer(asked)
        assert isinstance(reply, CallQueryReply)
        self.assertEqual([about["status"] for about in self.audit.of(AuditEvent.QUERY_ANSWERED)], [35])
        self.assertEqual(reply.status, 35)

    def test_a_repeat_behind_its_end_and_a_used_event_id_are_refusals(self) -> None:
        agent, service = self.hand_off()
        service.report("7", event_id=1)
        service.report("7", Condition.FAILED, event_id=1)
        service.report("7", Condition.FAILED, event_id=2)
        self.exchange.pump()
        agent.connect("1001", "bill", "7", NUMBER, Fields({"pin": MARKER}))
        agent.send(UpdateRequest("7", Fields({"pin": 1})))
        self.exchange.pump()
        refused = [(event.value, about["status"]) for event, about in self.audit.records if event.refusal]
        self.assertEqual(
            refused, [("report_refused", 25), ("report_refused", 24), ("connect_refused", 24), ("update_refused", 24)]
        )

    def test_every_request_of_a_client_has_its_records(self) -> None:
        asked = {
            message
            for allowed in (rules.exchange(role, list(Feature)) for role in Role)
            for message, treatment in allowed.items()
            if treatment is rules.REQUEST and message not in (Ping, Unbind)
        }
        self.assertEqual(asked, set(audit_trail._OUTCOMES))
