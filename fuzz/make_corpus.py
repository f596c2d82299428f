"""Writes the corpus that fuzzing begins with: ``python -m fuzz.make_corpus``.

Codecs: the vectors of the wire format, good and malformed. Session: valid conversations of both roles. Configuration:
files that are right, and files that are wrong in one place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ctiex import call_messages as c
from ctiex import messages as m
from ctiex.codecs.binary import BinaryCodec
from ctiex.codecs.json import JsonCodec
from ctiex.fields import Fields
from ctiex.interfaces import Extensions, ICodec
from ctiex.messages import KIND_OF, Message, Role
from ctiex.testing.wire.bad_frames import bad_frames
from ctiex.testing.wire.bad_lines import bad_lines
from ctiex.testing.wire.good import GOOD
from ctiex.testing.wire.good_calls import GOOD_CALLS

CORPUS = Path(__file__).resolve().parent / "corpus"
_CONVERSATIONS: list[tuple[int, list[Message]]] = [
    (0, [m.Ping(), m.Bind(Role.AGENT, "x", "y"), m.AgentLogin("1001"), m.Unbind()]),
    (0, [m.Bind(Role.AGENT, "x", "wrong"), m.Ping()]),
    (
        1,
        [
            m.AgentLogin("1001"),
            m.ConnectRequest("", "1001", "bill", "138", "order 1", Fields({"a": 1})),
            m.UpdateRequest("7", Fields({"a": 2})),
            m.CallQuery("1001"),
            m.CancelRequest("7"),
        ],
    ),
    (1, [m.AgentEventAck("1001", 7), m.AgentLogout("1001"), m.Unbind()]),
    (
        2,
        [m.DataRequest("7"), m.ServiceEvent(1, "7", "", m.Condition.COMPLETED, Fields({"n": 3})), m.ConnectionReply(0)],
    ),
    (2, [m.CallEndedReply(), m.DataChangedReply(), m.Error(51, 0x20), m.Ping(), m.Pong(), m.Unbind()]),
    (3, [m.AgentLogin("1001"), m.Ping()]),
    (
        1 | 8,  # with the feature for them
        [
            c.Monitor("1001"),
            c.AgentState("1001", c.AgentStateCode.READY),
            c.CallControl(c.Action.MAKE, "1001", destination="1002", fields=Fields({"a": 1})),
            c.CallData("1001", "c-17", 1, Fields({"a": 2}), (c.FieldName("b"),)),
        ],
    ),
]
_CONFIGURATIONS = {
    "nothing": "",
    "exchange": '[exchange]\nid = "12"\naddress = "ctiex-1.example.net:7301"\n',
    "links": '[links.agent]\nlisten = "tcp:7300:interface=127.0.0.1"\ncodec = "json"\nheartbeat = 30\n'
    'max_frame = 65536\n[links.ivr]\nlisten = ""\nlogin_deadline = 2.5\n',
    "tls": '[links.agent]\nlisten = "ssl:7300:privateKey=key.pem:certKey=cert.pem"\n',
    "identities": '[identities.a]\nrole = "agent"\nsecret = "s"\nagents = ["1001", "1100-1199", "*"]\n'
    '[identities.b]\nrole = "service"\nsecret = "s"\nservices = ["bill"]\n[services.bill]\naccess_code = "7000"\n',
    "service": '[services.bill]\naccess_code = "7000"\nsignalling = "link"\nkeep_closed = 600\n'
    '[services.bill.request]\nsecret = ["account"]\nrename = {a = "b"}\n[services.bill.result]\nkeep = ["a"]\n',
    "store": '[store]\nkind = "sqlite"\npath = "calls.sqlite"\n[carrier]\nseparator = "**"\ncapacity = 79\n',
    "limits": '[limits]\nmailbox = 8\nlinks_per_identity = 3\n[metrics]\nlisten = "tcp:9100"\n',
    "wrong-type": '[limits]\nmailbox = "8"\n',
    "wrong-key": "[limit]\nmailbox = 8\n",
    "tables": '{"exchange": {"id": 7}, "services": [], "identities": {"": null},'
    ' "links": {"agent": {"heartbeat": 1e9}}}',
}


def frame(codec: ICodec, message: Message, invoke_id: int, extensions: Extensions = ()) -> bytes:
    """A whole frame."""
    return codec.frame(KIND_OF[type(message)], invoke_id, codec.encode_body(message), extensions)


def conversations() -> Iterable[tuple[str, bytes]]:
    """Input for the session's harness: each conversation in both codecs, a frame a segment."""
    for number, (state, said) in enumerate(_CONVERSATIONS):
        for bit, codec in enumerate((BinaryCodec(), JsonCodec())):
            data = bytes([bit | state << 1 | 8])
            for at, message in enumerate(said):
                sent = frame(codec, message, 0 if isinstance(message, m.AgentEventAck) else at + 2)
                data += bytes([len(sent)]) + sent
            yield f"{number}-{codec.name}", data + bytes([255, 31, 255, 31, 255, 31])


def write(name: str, inputs: Iterable[tuple[str, bytes]]) -> None:
    """One harness's files."""
    directory = CORPUS / name
    directory.mkdir(parents=True, exist_ok=True)
    for left in directory.iterdir():  # of another version of the wire
        left.unlink()
    for title, data in inputs:
        (directory / re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")).write_bytes(data)


def main() -> None:
    """Every harness's files."""
    for name, codec in (("binary", BinaryCodec()), ("json_codec", JsonCodec())):
        write(
            name, ((one.name, frame(codec, one.message, one.invoke_id, one.extensions)) for one in [*GOOD, *GOOD_CALLS])
        )
    write("binary", ((case.name, case.data) for case in bad_frames()))
    write("json_codec", ((case.name, case.data) for case in bad_lines()))
    write("session", conversations())
    write("configuration", ((title, text.encode()) for title, text in _CONFIGURATIONS.items()))


if __name__ == "__main__":
    main()
