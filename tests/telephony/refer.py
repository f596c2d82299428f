"""A telephone's own attended transfer: REFER in its one dialog, with Replaces for its other (RFC 3515, RFC 3891).

The telephones here can't ask for it themselves. So the request goes out for one of them: from its address, in the
dialogs that it has, as a telephone sends it that can.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from attrs import frozen
from twisted.internet.protocol import DatagramProtocol

from .phones import Phone
from .tap import SIP_PORT, SipMessage, Tap


@frozen
class Dialog:
    """One call of a telephone, as the telephone knows it."""

    call_id: str
    own: str
    """From, in what the telephone asks for, with its tag."""
    other: str
    """To, with the other end's tag."""
    target: str
    """The URI that requests go to."""
    cseq: int
    """The last number of a request of the telephone's; 0 before it has sent one."""

    @property
    def replaced(self) -> str:
        """It as a Replaces header names it to the other end, whose own tag is the to-tag."""
        return f"{self.call_id};to-tag={_tag(self.other)};from-tag={_tag(self.own)}"


def dialogs(host: str, messages: Iterable[SipMessage]) -> list[Dialog]:
    """Those that this host has taken up, in order, by what answered the INVITE of each."""
    found: dict[str, Dialog] = {}
    heard = [message for message in messages if host in (message.source, message.target)]
    for answer in heard:
        call_id = answer.header("Call-ID")
        if answer.method != "INVITE" or answer.status // 100 != 2 or call_id in found:
            continue
        called = answer.source == host
        ends = answer.header("From"), answer.header("To")
        invited = next(one for one in heard if one.request and one.header("Call-ID") == call_id)
        target = (invited if called else answer).header("Contact").partition("<")[2].partition(">")[0]
        asked = [one for one in heard if one.request and one.source == host and one.header("Call-ID") == call_id]
        cseq = max((int(one.header("CSeq").split()[0]) for one in asked), default=0)
        found[call_id] = Dialog(call_id, *(reversed(ends) if called else ends), target, cseq)
    return list(found.values())


async def transfer_attended(reactor: Any, tap: Tap, phone: Phone) -> None:
    """Have whom the telephone talked with first connected with whom it talks with last, and see it accepted."""
    first, second = dialogs(phone.host, tap.messages)[-2:]
    platform = first.target.rpartition("@")[2].partition(":")[0]
    port = reactor.listenUDP(0, DatagramProtocol(), interface=phone.host)
    mark = len(tap.messages)
    port.write(_request(phone, first, second, port.getHost().port).encode(), (platform, SIP_PORT))
    await tap.messages.wait(
        lambda one: one.source == platform and one.method == "REFER" and one.status == 202, "202 to REFER", mark
    )
    await port.stopListening()


def _request(phone: Phone, first: Dialog, second: Dialog, port: int) -> str:
    whom = second.other.partition("<")[2].partition(">")[0]
    lines = [
        f"REFER {first.target} SIP/2.0",
        f"Via: SIP/2.0/UDP {phone.host}:{port};branch=z9hG4bK-attended-{first.cseq + 1}",
        "Max-Forwards: 70",
        f"From: {first.own}",
        f"To: {first.other}",
        f"Call-ID: {first.call_id}",
        f"CSeq: {first.cseq + 1} REFER",
        f"Contact: <sip:{phone.number}@{phone.host}:{SIP_PORT}>",
        f"Refer-To: <{whom}?Replaces={quote(second.replaced, safe='')}>",
        f"Referred-By: <sip:{phone.number}@{phone.host}>",
        "Content-Length: 0",
    ]
    return "\r\n".join(lines) + "\r\n\r\n"


def _tag(address: str) -> str:
    return address.partition(";tag=")[2].partition(";")[0]
