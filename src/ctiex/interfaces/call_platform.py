"""A telephone platform as call control sees it: its legs, and the few orders of which every function is made.

A *leg* is the connection of one device with the platform (a channel, where it is an Asterisk). Whatever a desk asks for
comes to putting legs elsewhere, calling a device, or hanging up. An agent's leg that has been put in its *desk* stays
there, alone, whenever nobody is connected with it; so from then on one order that moves the other leg does each thing.

Orders return a Deferred that fires once the platform has taken them, which says nothing of their success: what becomes
of one shows in the legs. The next order about the same legs is given when the legs show that the last one is done.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, Flag, auto

from attrs import define, field
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from ctiex.frozen import frozen


class LegState(Enum):
    """How far the device at the end of a leg is."""

    INITIATED = "initiated"
    """It calls, and isn't connected yet."""
    ALERTING = "alerting"
    """It rings."""
    CONNECTED = "connected"
    """It was answered, or has called and was let in."""


class LegPlace(Enum):
    """Where a leg is."""

    NOWHERE = "nowhere"
    """With nobody: it rings, it dials, or it is in the platform's own dialplan, such as a greeting."""
    BRIDGE = "bridge"
    """In a bridge, with whom the bridge's other legs are; alone, it waits for them."""
    HOLD = "hold"
    """Held by the server for ``Leg.desk``, and hears music."""
    DESK = "desk"
    """An agent's leg in its desk, with nobody."""
    CONFERENCE = "conference"
    QUEUE = "queue"
    """It waits in a queue."""
    SUPERVISION = "supervision"
    """A supervisor's leg that hears ``Leg.supervised``."""
    SERVICE = "service"
    """A customer who was handed over to an automatic service, or comes back from one; or their agent, who waits."""


class Supervision(Enum):
    """How a supervisor takes part."""

    LISTEN = "listen"
    WHISPER = "whisper"
    """The agent hears the supervisor, the customer doesn't."""
    BARGE = "barge"
    """Both hear the supervisor."""


class RecordingState(Enum):
    """Whether a leg is recorded."""

    OFF = "off"
    ON = "on"
    PAUSED = "paused"


@define(eq=False)
class Leg:
    """One leg. It shows the present, and is replaced by another object of the same id at each new snapshot."""

    id: str
    """The same for as long as it is there."""
    call: str = ""
    """The id of the call that it belongs to: of that which began it, unless it was tagged with another one."""
    agent: str = ""
    """The agent number whose device it is; empty where it is no agent's."""
    number: str = field(default="", repr=False)
    """The number of who is at its end, as far as the platform knows; empty where it is withheld."""
    state: LegState = LegState.INITIATED
    place: LegPlace = LegPlace.NOWHERE
    bridge: str = ""
    """The id of the bridge, hold, or conference that it is in; legs with the same one are together."""
    desk: str = ""
    """The id of the agent's leg that this one is held for, rings for, or was called for."""
    dialled_by: str = ""
    """The id of the leg that calls this one, while it rings and afterwards; empty where it called by itself."""
    at_desk: bool = False
    """Whether it is an agent's leg that falls back into its desk when its peer is put elsewhere."""
    held_at_phone: bool = False
    """Whether the phone at its end has pressed hold."""
    queue: str = ""
    """The queue that it waits in, or came through."""
    outbound: bool = False
    """Whether the platform called the device; else the device called the platform."""
    recording: RecordingState = RecordingState.OFF
    supervised: str = ""
    """Of a supervisor's leg: the id of the agent's leg that it hears."""
    supervision: Supervision | None = None
    service: str = ""
    """The call serial number under which it is with a service, or waits for who is."""


@frozen
class LegGone:
    """Why a leg is no more."""

    id: str
    cause: int
    """Cause value of ITU-T Q.850; 0 where there is none."""
    by_platform: bool = False
    """Whether the platform ended it, and not the device."""


@frozen
class DialFailed:
    """A device that :meth:`ICallPlatform.call` was to call wasn't reached, and there is no leg, or no more."""

    id: str
    """The one that was to be the leg's."""
    status: int
    """63 busy, 64 no answer, 65 no such destination, 66 out of service."""
    cause: int = 0


@frozen
class BlindTransferSeen:
    """A phone has transferred its call by itself: ``leg`` now goes to ``number``."""

    leg: str
    by: str
    """The id of the leg of the phone that did it."""
    number: str = field(repr=False)


@frozen
class AttendedTransferSeen:
    """A phone has connected the other sides of its two calls, and has left both."""

    leg: str
    other: str
    """The ids of the legs that are together now."""
    by: str


class QueueMemberState(Flag):
    """What the platform's queues know of an agent."""

    NOTHING = 0
    MEMBER = auto()
    PAUSED = auto()


@frozen
class QueueMembership:
    """An agent in the platform's queues."""

    agent: str
    device: str
    queues: tuple[str, ...]
    paused: bool
    reason: str = ""


PlatformEvent = LegGone | DialFailed | BlindTransferSeen | AttendedTransferSeen | QueueMembership


class Function(Flag):
    """What a platform can do beyond moving legs; what it can't is 62, and in nobody's allowed actions."""

    NOTHING = 0
    ANSWER = auto()
    """Make a ringing phone answer."""
    DIGITS = auto()
    RECORDING = auto()
    SUPERVISION = auto()
    CONFERENCE = auto()
    QUEUES = auto()


@frozen
class Connect:
    """What a called device is connected with when it answers: the leg of this id."""

    leg: str


@frozen
class Confer:
    """A called device joins this conference when it answers."""

    conference: str


@frozen
class ToDesk:
    """A called device is an agent's phone, and goes to its desk when it answers."""


@frozen
class Supervise:
    """A called device is a supervisor's phone, which hears the leg of this id when it answers."""

    leg: str
    how: Supervision


OnAnswer = Connect | Confer | ToDesk | Supervise


class DestinationKind(Enum):
    """What a destination is."""

    AGENT = "agent"
    QUEUE = "queue"
    NUMBER = "number"


@frozen
class CallDestination:
    """Where a leg goes, or what is called: checked already, so that nothing from outside reaches a dial string."""

    kind: DestinationKind
    name: str = field(repr=False)
    """An agent number or a number, of ``[0-9*#+]{1,32}`` alone, or the configured name of a queue."""


@frozen
class CallOut:
    """A device that is to be called."""

    id: str
    """Will be the leg's; new."""
    call: str
    """The call that the leg will belong to."""
    destination: CallDestination
    on_answer: OnAnswer
    seconds: float
    """How long it may ring."""
    shown: str = field(default="", repr=False)
    """The calling number that the device is shown."""
    desk: str = ""
    """The id of the agent's leg that it is called for."""


class ILegs(Interface):
    """The legs of a platform, as far as was heard."""

    def leg(id: str) -> Leg | None:
        """The leg with this id; None: it isn't known, or gone."""

    def of_call(call: str) -> Iterator[Leg]:
        """The legs that belong to a call, in the order in which they came."""

    def of_agent(agent: str) -> Iterator[Leg]:
        """The legs of an agent number's devices."""

    def in_bridge(bridge: str) -> Iterator[Leg]:
        """The legs in a bridge, a hold, or a conference."""

    def for_desk(leg: str) -> Iterator[Leg]:
        """The legs that are held for, ring for, or were called for this agent's leg."""

    def with_service(serial: str) -> Iterator[Leg]:
        """The legs of who is with an automatic service under this call serial number, and of who waits for them."""

    def all() -> Iterator[Leg]:
        """Every leg."""


class ICallPlatformListener(Interface):
    """What a platform tells of its legs."""

    def taken_up() -> Iterator[None]:
        """The legs are those of a new snapshot: anything may have changed since the last event.

        Run in lots, many steps in a turn of the reactor: a step does no more than a call or a leg takes.
        """

    def away() -> None:
        """The platform is away: events are missed from now on, until ``taken_up``."""

    def changed(leg: Leg) -> None:
        """Something of a leg has changed, or it is new."""

    def happened(event: PlatformEvent) -> None:
        """Something has happened that doesn't show in a leg. For ``LegGone`` the leg isn't in the legs any more."""


class ICallPlatform(Interface):
    """A telephone platform whose calls can be controlled.

    Every order returns a Deferred that fires with None when the platform has taken the order. It fails with
    :class:`ctiex.interfaces.telephony.OrderRefused` when it has not, and nothing was changed; with
    :class:`ctiex.errors.LinkLost` or :class:`ctiex.errors.RequestTimedOut` when that isn't known.
    """

    legs: ILegs = Attribute("The legs; another object after each loss of the connection.")
    functions: Function = Attribute("What it can do beyond moving legs.")
    connected: bool = Attribute("Whether its events are told as they come, and it takes orders.")

    def watch(listener: ICallPlatformListener) -> None:
        """Tell this listener. Called once, before the platform is started."""

    # -- moving legs

    def part(leg: Leg, desk: Leg) -> Deferred[None]:
        """Two legs that are together: put the one on hold, and the agent's in its desk, both at once."""

    def hold(leg: Leg, desk: Leg) -> Deferred[None]:
        """Put a leg on hold for an agent's leg that is at its desk."""

    def connect(leg: Leg, other: Leg) -> Deferred[None]:
        """Connect a leg with another one, which is at its desk, or with somebody whom it leaves."""

    def confer(legs: tuple[Leg, ...], conference: str) -> Deferred[None]:
        """Put legs, one or two, into a conference; both at once."""

    def send(leg: Leg, destination: CallDestination, seconds: float) -> Deferred[None]:
        """Have a leg call a destination, and leave where it is. If nobody answers it goes to the fallback."""

    def fall_back(leg: Leg) -> Deferred[None]:
        """Send a leg to the fallback: somebody looks after it there."""

    def to_desk(leg: Leg) -> Deferred[None]:
        """Put an agent's leg in its desk."""

    # -- legs that come and go

    def call(out: CallOut) -> Deferred[None]:
        """Call a device; the leg shows, or ``DialFailed`` tells why there is none."""

    def hang_up(leg: Leg, cause: int = 16) -> Deferred[None]:
        """End a leg, or reject a call that it rings for (cause 21 or 17). One that is gone is no error."""

    def answer(leg: Leg) -> Deferred[None]:
        """Have a ringing phone answer."""

    def tag(leg: Leg, call: str) -> Deferred[None]:
        """Have a leg belong to another call."""

    # -- what else is done with a leg

    def send_digits(leg: Leg, digits: str) -> Deferred[None]:
        """Send digits that the device at the end of a leg hears."""

    def record(leg: Leg, state: RecordingState, name: str) -> Deferred[None]:
        """Record, pause, go on, or stop. The name is that of the file, of letters, digits, ``-`` and ``_``."""

    def supervise(leg: Leg, how: Supervision) -> Deferred[None]:
        """Change how a supervisor's leg takes part."""

    # -- queues

    def queue_log_in(agent: str, device: str, queues: tuple[str, ...], reason: str) -> Deferred[None]:
        """Make an agent a member of queues, paused with this reason; of those that it is in already, too."""

    def queue_log_out(agent: str) -> Deferred[None]:
        """Take an agent out of all queues."""

    def queue_pause(agent: str, reason: str) -> Deferred[None]:
        """Pause an agent in all queues."""

    def queue_unpause(agent: str) -> Deferred[None]:
        """Let an agent be offered calls of the queues again."""

    def membership(agent: str) -> QueueMembership | None:
        """What the queues know of an agent; None: it is in none."""
