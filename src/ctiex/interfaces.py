"""What plugs in: codecs, stores, signalling drivers, carriers, organizers, media, checkers of who may bind.

Each has a plugin face that is found by its ``name`` in :mod:`ctiex.plugins`, and a
contract test in :mod:`ctiex.testing` that every implementation passes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from attrs import Factory, field
from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import Attribute, Interface

from ctiex.errors import CodecError
from ctiex.fields import Fields
from ctiex.frozen import frozen
from ctiex.messages import CallEnded, Connection, Message, Role
from ctiex.records import Call, Change, StoredEvent

# ---------------------------------------------------------------- codecs


@frozen
class Frame:
    """One frame off the wire, its body not decoded yet."""

    kind: int
    """As in :data:`ctiex.messages.KINDS`."""
    invoke_id: int
    """Pairs a reply with its request; 0 where nothing is answered."""
    body: Any = field(repr=False)
    """Whatever the codec's own ``decode_body`` takes."""
    fault: CodecError | None = None
    """What is wrong with the header (flags, kind); then nothing but the invoke id counts."""


class IDecoder(Interface):
    """Finds the frames in one direction of one link; holds its unread bytes."""

    max_frame: int = Attribute("The limit on a frame's length, in bytes; it may be set between two frames.")

    def receive(data: bytes) -> None:
        """Take more bytes off the wire, in any split."""

    def frames() -> Iterator[Frame]:
        """The complete frames that have come, each given once; ends where more bytes are needed.

        :raise CodecError: what ends the link (version, length); raised again by every later call.
        """

    def buffered() -> int:
        """How many bytes wait for the rest of their frame."""


class IDataResponder(Interface):
    """Answers DataRequests with no decoder, no message, and a look at nothing but the store's memory."""

    def answer(data: bytes, output: list[bytes], most: int, full: int) -> tuple[int, int]:
        """Answer the whole, well-formed DataRequests at the head of a read whose data is there to be given.

        It stops at the first frame that is anything else, or is refused: that goes the usual way. It raises nothing.

        :param data: what was read; it begins with a frame.
        :param output: takes the answers as they go on the wire, in any number of pieces.
        :param most: answer no more frames than this; it may be below 0.
        :param full: answer no more once so many bytes are in the answers.

        Returns how many bytes of ``data`` were answered, and how many frames.
        """


def decoded(codec: Any, kind: int, body: bytes) -> Message:
    """The message of a body that this codec has encoded: what a codec decodes is what its own decoder found.

    :raise CodecError: it hasn't, or another version of it has.
    """
    decoder = codec.decoder(codec.frame_length(body))
    decoder.receive(codec.frame(kind, 0, body))
    message: Message = codec.decode_body(next(decoder.frames()))
    return message


class ICodec(Interface):
    """Messages to bytes and back. Nothing but CodecError leaves it, whatever the bytes."""

    name: str = Attribute("What the configuration calls it.")

    def decoder(max_frame: int) -> IDecoder:
        """A decoder for one link, with its limit on the value of a frame's length, in bytes."""

    def decode_body(frame: Frame) -> Message:
        """The message of a frame without fault.

        :raise CodecError: the body breaks the layout of its kind.
        """

    def encode_body(message: Message) -> bytes:
        """The body, which stays good for any number of frames.

        :raise CodecError: the message breaks a limit of its layout.
        """

    def frame(kind: int, invoke_id: int, body: bytes) -> bytes:
        """A whole frame around an encoded body."""

    def frame_length(body: bytes) -> int:
        """The length that counts against the limit for a frame with this body, in bytes."""

    def data_responder(
        fetched: Callable[[str, str], bytes | None], identity: str, exchange_address: str
    ) -> IDataResponder | None:
        """What answers the DataRequests of this identity straight from the bytes; None: this codec has no such thing.

        :param fetched: :meth:`ICallStore.fetched`.
        :param exchange_address: the advertised address of the IVR link.
        """


class ICodecPlugin(Interface):
    """Finds a codec by name."""

    name: str = Attribute("What the configuration calls it: ``codec = NAME``.")

    def build() -> ICodec:
        """The codec."""


# ---------------------------------------------------------------- stores


class ICallStore(Interface):
    """The memory pool [0049]: calls by serial, and the agents' mailboxes.

    What was committed is seen at once. A store that keeps it elsewhere (on a disk)
    answers from memory all the same, and says by a Deferred when it is kept.
    """

    def open(reactor: Any) -> Deferred[None] | None:
        """Take up what was kept before; None, or a Deferred that fires once it is there.

        :param reactor: for threads and time.
        :raise StoreUnavailable: (or the Deferred fails with it) it can't be read.
        """

    def close() -> Deferred[None] | None:
        """Keep what is under way and let go of everything."""

    def commit(change: Change) -> Deferred[None] | None:
        """Keep a change, all of it or nothing.

        None: it is kept. A Deferred: it fires when it is kept, those of several changes in their order; if
        it fails, this change and every one made after it are undone. An empty change waits for all before it.

        :raise StoreUnavailable: (or the Deferred fails with it) it wasn't kept: status 50.
        :raise ValueError: an event isn't numbered one beyond its agent's last; nothing is kept.
        """

    def get(serial: str) -> Call | None:
        """The call with this serial, when it is in memory. Never waits."""

    def fetched(serial: str, owner: str) -> bytes | None:
        """The ``data`` of a call in state ``fetched`` with this owner, when it is in memory; else None.

        It is asked for each DataRequest before anything else, so it is to be as fast as a look-up can be.
        """

    def fetch(serial: str) -> Deferred[Call | None] | None:
        """Look where memory doesn't reach; None where there is no such place."""

    def calls() -> Iterable[Call]:
        """Every call that is kept."""

    def stored() -> int:
        """How many calls are kept. O(1)."""

    def agents() -> Iterable[str]:
        """Every agent number that ever had an event."""

    def last_sequence(agent: str) -> int:
        """The last sequence assigned to this agent's events; 0 before the first."""

    def pending(agent: str) -> int:
        """How many events wait in the agent's mailbox. O(1)."""

    def events(agent: str, after: int = 0) -> Sequence[StoredEvent]:
        """The events that wait with a sequence beyond ``after``, in order."""

    def metadata(name: str) -> str | None:
        """What a change last put under this name in ``labels``; None if none ever did."""


class ICallStorePlugin(Interface):
    """Finds a store by name."""

    name: str = Attribute("What the configuration calls it: ``[store] kind = NAME``.")

    def build(settings: Mapping[str, Any]) -> ICallStore:
        """A store, not opened yet.

        :param settings: the other keys of ``[store]``.
        :raise ConfigurationError: a key is unknown or its value no good.
        """


class IPlacedStorePlugin(ICallStorePlugin):
    """Finds a store that stands somewhere on this machine, and can say beforehand whether it can."""

    def check_place(settings: Mapping[str, Any]) -> None:
        """See that a store can be opened where it is to stand, without opening or changing anything.

        :param settings: as for ``build``, which has taken them.
        :raise ConfigurationError: with a line for each thing that is wrong, its key in front: ``path: ...``.
        """


# ---------------------------------------------------------------- signalling


@frozen
class Offer:
    """A call that is to be signalled to a service."""

    serial: str
    service: str
    calling_number: str = field(repr=False)
    """The customer's own number."""
    connection: Connection
    """Ready to go out: its calling number carries the serial already."""
    deadline: float
    """When nobody waits for an answer any more, in seconds of the clock: the processing service has ended the call."""
    resumed: bool = False
    """Offered again after a restart: a service that isn't there yet may still bind in time."""
    signalled: Signalled = field(
        default=Factory(lambda offer: Signalled(offer.connection.calling_number), takes_self=True)
    )
    """What a telephone call to the service is to be sent with; the serial is in its number, its headers, or both."""
    agent: str = ""
    """The agent number that the customer talks with."""


class IServiceSession(Interface):
    """One bound link of an automatic service, as signalling sees it."""

    identity: str = Attribute("The identity that it is bound under.")
    name: str = Attribute("Its own name, for logs and for the audit.")

    def connect(connection: Connection, answered: Callable[[int | None], None], deadline: float) -> None:
        """Write a Connection; ``answered`` hears the ConnectionReply's status, or None if the link dies.

        It hears nothing when no answer comes by ``deadline``, in seconds of the clock.
        """

    bound: bool = Attribute("Whether it still is.")

    def end_call(message: CallEnded) -> None:
        """Write a CallEnded."""


class IServiceSessions(Interface):
    """The bound sessions of all services."""

    def for_service(service: str) -> Sequence[IServiceSession]:
        """The sessions whose identity serves it, the one whose turn it is first."""

    def of_identity(identity: str) -> Sequence[IServiceSession]:
        """The sessions bound under this identity."""

    def watch(joined: Callable[[IServiceSession], None]) -> None:
        """``joined`` hears of every session that is bound from now on."""


class ISignallingListener(Interface):
    """Hears what becomes of an offer. Calls about a serial that has ended do nothing."""

    def offered(serial: str, session: IServiceSession | None, write: Callable[[], None]) -> None:
        """The call is to go to this session; None: any identity that serves it may come back for it.

        :param write: called once that is kept, at once where the store is that fast: only then may the Connection,
            or the customer, be sent. It is called later while the store is unavailable, and not at all once the
            call is over; a driver that has gone on meanwhile does nothing in it.
        """

    def accepted(serial: str) -> None:
        """The service has accepted the Connection."""

    def refused(serial: str, session: IServiceSession, status: int | None) -> None:
        """This session answered with another status than 0, or None: it was lost. Another may be tried."""

    def unreachable(serial: str, status: int) -> None:
        """Nobody is left to try: status 31, 32 or 33."""

    def returned(serial: str) -> None:
        """The customer is back with the agent (drivers that see the call)."""

    def hung_up(serial: str) -> None:
        """The customer has hung up (drivers that see the call)."""

    def agent_lost(serial: str) -> None:
        """The customer has left the service and isn't with the agent, who is gone (drivers that see the call)."""

    def call_arrived(agent: str, calling_number: str) -> str:
        """A customer and an agent have begun to talk (drivers that see the call).

        Returns the serial that the agent's application was told for it; empty when it isn't there to be told.
        """


class ISignalling(Interface):
    """Forwards a customer to a service [0039, 0045]; one driver serves many calls."""

    sees_return: bool = Attribute("Whether the driver sees the customer return to the agent.")

    def offer(offer: Offer) -> None:
        """Begin; the watcher hears the rest. The processing service keeps the time-out."""

    def withdraw(serial: str) -> int:
        """The call has ended for signalling: stop trying, and let go of the customer.

        It is all that a driver hears of a cancel or a time-out. One that sees customers return hears it
        once the call is closed, also when they didn't return in time.
        Returns the status of what was met so far: 31, 32, or 33 while an answer is still awaited.
        """


class IRunningSignalling(ISignalling):
    """A driver with a life of its own: it is connected to a platform, and sees the calls there."""

    connected: bool = Attribute("Whether it sees the calls of its platform now.")

    def start() -> None:
        """Connect. It is called once the exchange has taken up its calls."""

    def stop() -> Deferred[None] | None:
        """Let out what was begun, and disconnect."""

    def resume(serial: str, agent: str) -> None:
        """A call was with its service, or on the way back, when the exchange stopped: see to it.

        It is called before ``start``. The calls that weren't accepted yet come as offers.
        """

    def agent_logged_in(agent: str) -> None:
        """An agent number was logged in: a call of it that nobody was told of is to be told by ``call_arrived``."""


@frozen
class SignallingContext:
    """What a signalling driver gets to work with."""

    reactor: Any
    """For time and endpoints."""
    listener: ISignallingListener
    sessions: IServiceSessions
    codec: ICodec
    """The codec of the IVR link."""
    services: Mapping[str, Mapping[str, Any]]
    """The driver's own settings of each service that it signals, by service name."""
    settings: Mapping[str, Any] = field(factory=dict, repr=False)
    """The driver's own table: ``[signalling.NAME]``."""


class ISignallingPlugin(Interface):
    """Finds a signalling driver by name."""

    name: str = Attribute("What the configuration calls it: ``signalling = NAME``.")

    def check(settings: Mapping[str, Any]) -> None:
        """Check the driver's own keys of one service.

        :raise ConfigurationError: a key is unknown, missing, or its value no good.
        """

    def build(context: SignallingContext) -> ISignalling:
        """The driver for all services that name it."""


class IConfiguredSignallingPlugin(ISignallingPlugin):
    """Finds a signalling driver that has a table of its own: ``[signalling.NAME]``."""

    def check_driver(settings: Mapping[str, Any]) -> None:
        """Check the keys of that table.

        :raise ConfigurationError: a key is unknown, missing, or its value no good.
        """


# ---------------------------------------------------------------- carriers


NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@frozen
class Signalled:
    """What travels with a call through the telephone network."""

    calling_number: str = field(repr=False)
    headers: Mapping[str, str] = field(default=NO_HEADERS, repr=False)
    """SIP header fields beside it: their values by name."""

    def header(self, name: str) -> str | None:
        """The value of a header field; several with names that are the same to SIP are one with commas between."""
        values = [value for other, value in self.headers.items() if other.lower() == name.lower()]
        return ", ".join(values) if values else None

    def without_header(self, name: str) -> Signalled:
        """The same, less a header field."""
        kept = {other: value for other, value in self.headers.items() if other.lower() != name.lower()}
        return Signalled(self.calling_number, kept)


class ISerialCarrier(Interface):
    """Takes a serial through the network inside what the network passes [0074]."""

    def embed(calling_number: str, serial: str) -> Signalled:
        """What a call with this calling number is to be sent with, the serial in it.

        A carrier that uses header fields leaves the calling number as it is.

        :raise SerialError: it doesn't fit, or the number could be read as carrying one already.
        """

    def extract(signalled: Signalled) -> tuple[str, str | None]:
        """The calling number without the serial, and the serial (None where there is none) of a call that came."""

    def strip(signalled: Signalled) -> Signalled:
        """What came with an untrusted call, without anything that could be read as a serial."""


class ISerialCarrierPlugin(Interface):
    """Finds a carrier by name."""

    name: str = Attribute("What the configuration calls it: ``[carrier] kind = NAME``.")

    def build(settings: Mapping[str, Any]) -> ISerialCarrier:
        """A carrier.

        :param settings: the other keys of ``[carrier]``.
        :raise ConfigurationError: the longest serial doesn't fit, or a key is no good.
        """


# ---------------------------------------------------------------- organizers


class IOrganizer(Interface):
    """Puts fields into the vocabulary of the other side [0051, 0053]."""

    secret: Collection[str] = Attribute("The names, before and after, of the fields nobody may see.")

    def organize(fields: Fields) -> Fields:
        """The fields in the other side's vocabulary. Pure: the same in, the same out.

        :raise FieldError: the outcome breaks a limit of the wire format.
        """


class IOrganizerPlugin(Interface):
    """Finds an organizer by name."""

    name: str = Attribute("What the configuration calls it: ``organizer = NAME``, ``rules`` by default.")

    def build(settings: Mapping[str, Any]) -> IOrganizer:
        """An organizer for one direction of one service.

        :param settings: the other keys of ``[services.NAME.request]`` or ``.result``.
        :raise ConfigurationError: a key is unknown or its value no good.
        """


# ---------------------------------------------------------------- media


class IMedia(Interface):
    """The voice or video channel to one customer. Each call raises CallerHungUp once they left."""

    async def play(prompt: str) -> None:
        """Play a recorded prompt to its end, by name."""

    async def say_digits(digits: str) -> None:
        """Read out a string of digits, one at a time."""

    async def say_amount(amount: Decimal, currency: str) -> None:
        """Read out an amount of money; the currency by its code of ISO 4217."""

    async def collect_digits(prompt: str, count: int, timeout: float) -> str:
        """Play a prompt and collect up to ``count`` digits; ``#`` ends it early.

        :param timeout: how long to wait for the first digit and between two, in seconds.

        Returns what was typed, maybe nothing.
        """

    async def play_video(file: str) -> None:
        """Show a video file, or play its sound where the channel has no picture."""


class IMediaPlugin(Interface):
    """Finds a kind of media by name."""

    name: str = Attribute("What the configuration calls it: ``--media NAME``.")

    def build(settings: Mapping[str, Any], clock: IReactorTime) -> IMedia:
        """The channel to one customer."""


# ---------------------------------------------------------------- who may bind


class IIdentity(Interface):
    """Someone who may bind, and what they may do: the avatar of twisted.cred."""

    name: str = Attribute("As in ``[identities.NAME]``.")
    role: Role = Attribute("On which link it binds.")

    def may_act_for(agent: str) -> bool:
        """Whether it may log this agent number in, and ask and cancel for it."""

    def may_serve(service: str) -> bool:
        """Whether calls for this service may be offered to it."""


class IBindCredentials(Interface):
    """What a Bind says of itself, beside ``IUsernamePassword`` of twisted.cred."""

    username: bytes = Attribute("The identity, in UTF-8.")
    password: bytes = Attribute("The secret, in UTF-8.")
    source: str = Attribute("What limits count the other side by: an address, the /64 of an IPv6 one, or ``local``.")
    role: Role | None = Attribute("The role that an identity needs to be bound by it; None: none will do.")

    def wanted() -> bool:
        """Whether the answer is still of use; a checker with something slow to do asks before it begins."""


class ICertificateCredentials(Interface):
    """A Bind without a secret, on a link whose other side has shown a certificate that was verified."""

    names: tuple[str, ...] = Attribute("The names in the certificate.")
    identity: str = Attribute("The identity that the Bind names; empty: whichever has the certificate.")


@frozen
class CheckerContext:
    """What a checker is built with."""

    reactor: Any
    """For time, threads and connections; None where nothing is to be run, as in ``ctiex check-config``."""
    identities: Mapping[str, IIdentity]
    """By name, whoever may bind. Only these are let in, whatever the checker says."""
    secrets: Mapping[str, Any] = field(repr=False, factory=dict)
    """By name, the secret (text) or its hash (`ctiex.login.secret_hashes.SecretHash`) of those that have one."""


class ICheckerPlugin(Interface):
    """Finds a checker of identities and secrets by name."""

    name: str = Attribute("What the configuration calls it: ``[login] checker = NAME``.")

    def build(settings: Mapping[str, Any], context: CheckerContext) -> ICredentialsChecker:
        """A checker for ``IUsernamePassword``; opens nothing before it is asked.

        It gives back the name of the identity in UTF-8, at once or by a Deferred. It fails with
        ``twisted.cred.error.UnauthorizedLogin`` for everybody else, in the same way and with the same work whether
        the name is known or not, and with :class:`ctiex.errors.CheckBusy` when it can't tell now. The words of the
        error are for log and audit; the other side never hears them.

        :param settings: the other keys of ``[login]``.
        :raise ConfigurationError: a key is unknown or its value no good.
        """
