"""Plays the cases of the conformance kit against clients of this process, over TCP."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from ctiex.codecs.binary import BinaryCodec
from ctiex.interfaces import ICodec
from ctiex.messages import Role
from ctiex.testing.conformance.kit import Kit, cases_of
from ctiex.testing.conformance.verdicts import CaseOutcome, Verdict
from ctiex.testing.conformance.waits import Patience

from .conformance_clients import ServiceUnderTest

PATIENCE = Patience(acts=60.0, settles=0.2)
SHORT = Patience(acts=4.0, settles=0.5)
"""Where a fault keeps something from coming, which is waited for in vain."""


async def played(
    client_type: Any, codec: ICodec, only: Collection[str] = (), patience: Patience = PATIENCE
) -> Sequence[Verdict]:
    """Play cases against a client, over TCP."""
    from twisted.internet import reactor

    role = Role.SERVICE if issubclass(client_type, ServiceUnderTest) else Role.AGENT
    kit = Kit(reactor, role, codec, patience)
    port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(kit.factory)
    client = client_type(reactor, port.getHost().port, codec)
    client.start()
    try:
        cases = [case for case in cases_of(role, codec) if not only or case.name in only]
        return await kit.run(cases, lambda verdict: None)
    finally:
        kit.close()
        await client.stop()
        await port.stopListening()


class FaultyCase(TestCase):
    """For clients with one fault each: the cases that are about it fail, and those beside them don't."""

    async def fails(self, client_type: Any, *names: str, beside: Collection[str], says: str) -> None:
        """Play some cases; those with these names fail."""
        with capturedLogs():
            verdicts = await played(client_type, BinaryCodec(), {*names, *beside}, SHORT)
        failed = [verdict for verdict in verdicts if verdict.outcome is not CaseOutcome.OK]
        self.assertEqual(
            [(verdict.name, verdict.outcome) for verdict in failed], [(n, CaseOutcome.FAILED) for n in names]
        )
        self.assertIn(says, failed[0].instead)
