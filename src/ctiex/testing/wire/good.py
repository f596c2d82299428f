"""Messages of every kind below 30 for the test vectors: each with a name, its invoke id, and maybe extensions."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from attrs import frozen

from ctiex import messages as m
from ctiex.errors import Status
from ctiex.field_values import decimal_of
from ctiex.fields import Fields, Value
from ctiex.interfaces import Extensions
from ctiex.messages import Condition, Message, OpenCall, OpenCallState, Role

SERIAL = "00112345678965432197"
ADDRESS = "ctiex-1.example.net:7301"
REFERENCE = "order 4711"
CALLER = "13800138000"
NOON = 1_795_694_400_000
"""2026-11-26T12:00:00Z, in milliseconds."""

_VALUES: dict[str, Value] = {
    "account": "6222 0011",
    "vip": True,
    "blocked": False,
    "level": -3,
    "highest": 2**63 - 1,
    "lowest": -(2**63),
    "voice print": b"\x00\xff",
    "naïve ☎": "電話",
    "none": "",
    "amount": Decimal("12.50"),
    "rate": decimal_of("-007.500000000"),
    "due": datetime(2026, 11, 26, 18, 0, tzinfo=UTC),
    "born": datetime(1, 1, 1, tzinfo=UTC),
    "never": datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
}
EVERY_TYPE = Fields(_VALUES)
"""Fields of every type, the greatest and the least of each."""


@frozen
class Good:
    """A message as it travels."""

    name: str
    invoke_id: int
    message: Message
    extensions: Extensions = ()


_SESSION = [
    Good("an agent application binds", 1, m.Bind(Role.AGENT, "platform-1-agents", "demo", software="softphone 2")),
    Good(
        "an automatic service binds",
        1,
        m.Bind(Role.SERVICE, "platform-2-ivr", "démo", 1, 3, "ivr 7", "updates spoken-numbers"),
    ),
    Good("a client binds with a token of 300 bytes", 1, m.Bind(Role.AGENT, "platform-1-agents", "t" * 300)),
    Good("the session is open", 1, m.BindReply(0, 2, "s-17", 30, 65_536, 1_024, ADDRESS, "updates")),
    Good("credentials are refused", 1, m.BindReply(Status.REFUSED_CREDENTIALS, detail="identity or secret")),
    Good("the versions don't meet", 1, m.BindReply(Status.UNSUPPORTED_VERSION, 2)),
    Good("the exchange is shutting down", 0, m.Unbind(Status.GOING_AWAY, "restart")),
    Good("the client is done", 9, m.Unbind()),
    Good("unbind is answered", 9, m.UnbindReply()),
    Good("a sign of life is asked for", 2, m.Ping()),
    Good("a sign of life", 2, m.Pong()),
    Good("an agent number was taken over", 0, m.Error(Status.SESSION_TAKEN_OVER, 0x10, "1001")),
    Good("a request was malformed", 5, m.Error(Status.MALFORMED, 0x14, "it ends too early")),
    Good("a frame was too long", 0, m.Error(Status.TOO_LONG)),
    Good("a status of a later version", 0xFFFFFFFF, m.Error(0xFFFF, 0xFF, "")),
]

_AGENT = [
    Good("an agent logs in without a position", 3, m.AgentLogin("1001")),
    Good("an agent resumes", 3, m.AgentLogin("1001", 1_795_000_000_123, 9)),
    Good("an agent resumes with the greatest numbers", 3, m.AgentLogin("1001", 2**64 - 1, 2**64 - 2)),
    Good("the login holds", 3, m.AgentLoginReply(0, 1_795_000_000_123, 4, 9)),
    Good("the login holds, in a new epoch", 3, m.AgentLoginReply(Status.NUMBERING_ANEW, 2**63, 1, 0)),
    Good(
        "the identity may not use the number",
        3,
        m.AgentLoginReply(Status.NOT_ALLOWED_HERE, detail="the agent number isn't this identity's"),
    ),
    Good("an agent logs out", 4, m.AgentLogout("1001")),
    Good("the logout is answered", 4, m.AgentLogoutReply(0)),
    Good(
        "a customer is to be connected",
        5,
        m.ConnectRequest(SERIAL, "1001", "bill-broadcast", CALLER, REFERENCE, EVERY_TYPE),
    ),
    Good("the exchange is to allocate the serial", 5, m.ConnectRequest("", "1001", "number-broadcast", "")),
    Good("the call is kept", 5, m.ConnectReply(0, SERIAL)),
    Good("a refusal without a serial", 5, m.ConnectReply(Status.UNKNOWN_SERVICE, "", 0, "no such service")),
    Good("too busy: again in 3 seconds", 5, m.ConnectReply(Status.TOO_BUSY, "007", 3)),
    Good("the connection is taken back", 6, m.CancelRequest("007")),
    Good("the cancel is answered", 6, m.CancelReply(0, "007")),
    Good("a cancel that comes too late", 6, m.CancelReply(Status.ALREADY_FINISHED, "007")),
    Good(
        "the service has finished",
        0,
        m.AgentEvent(7, NOON, "1001", SERIAL, REFERENCE, Condition.COMPLETED, 0, EVERY_TYPE),
    ),
    Good(
        "the service was unreachable",
        0,
        m.AgentEvent(2**64 - 1, 2**53, "1001", "7", "", Condition.UNREACHABLE, Status.SERVICE_UNREACHABLE),
    ),
    Good("a condition of a later version that is progress", 0, m.AgentEvent(8, NOON, "1001", "7", "", Condition(0x7F))),
    Good("a condition of a later version that is final", 0, m.AgentEvent(9, NOON, "1001", "7", "", Condition(0x80))),
    Good("the agent has every event up to 7", 0, m.AgentEventAck("1001", 7)),
    Good("the open hand-offs are asked for", 7, m.CallQuery("1001")),
    Good(
        "the open hand-offs",
        7,
        m.CallQueryReply(
            0,
            (
                OpenCall(SERIAL, "bill-broadcast", REFERENCE, OpenCallState.FETCHED, NOON),
                OpenCall("7", "number-broadcast", "", OpenCallState.REQUESTED, 2**53),
            ),
        ),
    ),
    Good("no open hand-offs", 7, m.CallQueryReply(0)),
    Good("data is corrected", 8, m.UpdateRequest("007", Fields({"account": "6222 0012"}))),
    Good("the correction is kept", 8, m.UpdateReply(0, "007")),
    Good("a correction of more fields than are allowed", 8, m.UpdateReply(Status.MORE_THAN_ALLOWED, "007")),
]

_SERVICE = [
    Good("a customer is on the way", 8, m.Connection("7000", f"{CALLER}**{SERIAL}", ADDRESS)),
    Good("the service accepts", 8, m.ConnectionReply(0)),
    Good("the service refuses", 8, m.ConnectionReply(Status.TOO_BUSY, "every line is in use")),
    Good("the data is asked for", 10, m.DataRequest(SERIAL, ADDRESS)),
    Good("the data", 10, m.DataResult(0, SERIAL, "1001", REFERENCE, EVERY_TYPE)),
    Good("no such call", 10, m.DataResult(Status.UNKNOWN_SERIAL, "8")),
    Good("progress", 11, m.ServiceEvent(1, SERIAL, "", Condition.PROGRESS, Fields({"times broadcast": 1}))),
    Good(
        "a final result",
        12,
        m.ServiceEvent(2**64 - 1, SERIAL, "1001", Condition.FAILED, Fields({"highest": 2**53})),
    ),
    Good("the result is kept", 12, m.ServiceEventReply(2**64 - 1, Status.QUEUED_AGENT_AWAY)),
    Good("the event id was used for another report", 12, m.ServiceEventReply(2, Status.EVENT_ID_USED)),
    Good("the call is over", 13, m.CallEnded(SERIAL, Condition.CANCELLED)),
    Good("the end is answered", 13, m.CallEndedReply()),
    Good("the data has changed", 14, m.DataChanged(SERIAL)),
    Good("the change is answered", 14, m.DataChangedReply()),
]

_EXTENDED = [
    Good("an extension for private use", 2, m.Ping(), ((0x8000, b"\x01\x02"),)),
    Good("extensions of one type, one of them empty", 10, m.DataRequest("007"), ((0x8001, b""), (0x8001, b"again"))),
    Good("an extension of a later version, behind fields", 11, m.UpdateRequest("7", EVERY_TYPE), ((1, b"\x00" * 4),)),
]

GOOD: list[Good] = [*_SESSION, *_AGENT, *_SERVICE, *_EXTENDED]
"""At least one of every kind below 30; the others stand in :mod:`ctiex.testing.wire.good_calls`."""


@frozen
class Variant:
    """A line of JSON that isn't written as the exchange writes it, and means the same as another."""

    name: str
    line: str
    same_as: str


VARIANTS: list[Variant] = [
    Variant("what has its default is left out", '{"kind":"AgentLogin","id":3,"agent":"1001"}',
            '{"kind":"AgentLogin","id":3,"agent":"1001","epoch":0,"resume_after":0}'),
    Variant("no id is 0", '{"kind":"AgentEventAck","agent":"1001","sequence":7}',
            '{"kind":"AgentEventAck","id":0,"agent":"1001","sequence":7}'),
    Variant("keys in another order, with spaces", ' { "serial" : "007" , "id" : 6 , "kind" : "CancelRequest" } ',
            '{"kind":"CancelRequest","id":6,"serial":"007"}'),
    Variant("integers as strings", '{"kind":"AgentEventAck","id":"0","agent":"1001","sequence":"7"}',
            '{"kind":"AgentEventAck","id":0,"agent":"1001","sequence":7}'),
    Variant("a great integer as a number",
            '{"kind":"AgentEventAck","id":0,"agent":"1","sequence":18446744073709551615}',
            '{"kind":"AgentEventAck","id":0,"agent":"1","sequence":"18446744073709551615"}'),
    Variant("a small integer of a field as text",
            '{"kind":"UpdateRequest","id":8,"serial":"7","fields":{"a":{"int":"5"}}}',
            '{"kind":"UpdateRequest","id":8,"serial":"7","fields":{"a":5}}'),
    Variant("a time without milliseconds",
            '{"kind":"UpdateRequest","id":8,"serial":"7","fields":{"a":{"time":"2026-11-26T18:00:00Z"}}}',
            '{"kind":"UpdateRequest","id":8,"serial":"7","fields":{"a":{"time":"2026-11-26T18:00:00.000Z"}}}'),
    Variant("empty extensions are none", '{"kind":"Ping","id":2,"ext":[]}', '{"kind":"Ping","id":2}'),
    Variant("text with escapes", '{"kind":"AgentLogin","id":3,"agent":"\\u96fb\\ud83d\\ude00"}',
            '{"kind":"AgentLogin","id":3,"agent":"電😀","epoch":0,"resume_after":0}'),
]  # fmt: skip
"""The second line of each is what the exchange would write."""
