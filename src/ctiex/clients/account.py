"""Which exchange a client reaches, and as whom."""

from __future__ import annotations

from collections.abc import Callable
from random import random

from attrs import field, frozen
from twisted.internet.interfaces import IStreamClientEndpoint

import ctiex
from ctiex.codecs.binary import BinaryCodec
from ctiex.interfaces import ICodec
from ctiex.messages import MOST_MAX_FRAME


@frozen
class ExchangeAccount:
    """Which exchange to reach, and as whom."""

    endpoint: IStreamClientEndpoint
    """From ``clientFromString(reactor, "tcp:127.0.0.1:7300")``, or ``"tls:ctiex.example.net:7300"``.

    Twisted's ``tls:`` verifies the exchange's certificate and name; its ``ssl:`` doesn't, and nothing is sent there.
    """
    identity: str
    secret: str = field(default="", repr=False)
    """Empty where the exchange knows the client by its certificate."""
    codec: ICodec = field(factory=BinaryCodec)
    software: str = field(factory=lambda: f"ctiex/{ctiex.__version__}")
    answer_timeout: float = 10.0
    """How long the exchange may take to answer a request, in seconds."""
    longest_retry: float = 30.0
    """The longest pause between two attempts to connect, in seconds."""
    jitter: Callable[[], float] = random
    """What is added to each pause, in seconds, so that not all clients come back at the same moment."""
    plain_secrets: bool = False
    """Use any link, even if others can read it or the exchange isn't verified."""
    max_frame: int = MOST_MAX_FRAME
    """The longest frame that is agreed to, in bytes: an exchange that wants more isn't used."""
