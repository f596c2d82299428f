"""One customer on the way to a service and back: its stages in one table."""

from __future__ import annotations

from enum import Enum, auto

from attrs import define, field

from ctiex.errors import Status
from ctiex.telephony.asterisk.actions import Action
from ctiex.telephony.call_model import Talk


class Stage(Enum):
    """Where the customer is."""

    WAITING = auto()
    """Until it is kept that the customer goes; they are still with the agent."""
    MOVING = auto()
    """Asterisk was asked to move both; the customer may still be with the agent."""
    CALLING = auto()
    """The service is being called; the agent waits."""
    SERVED = auto()
    """The service has the customer."""
    RETURNING = auto()
    """On the way back to the agent."""
    OVER = auto()
    """With the agent, elsewhere, or gone."""


class Happening(Enum):
    """What the platform tells of it."""

    LEFT_AGENT = auto()
    ANSWERED = auto()
    NOT_ANSWERED = auto()
    """The call to the service has failed; the customer is on the way back."""
    SERVICE_OVER = auto()
    """The service has hung up; the customer is on the way back."""
    RECALLED = auto()
    """The customer was taken out of it."""
    TOGETHER = auto()
    """Customer and agent are connected."""
    ASTRAY = auto()
    """The agent is gone, and the customer with somebody else."""
    CUSTOMER_GONE = auto()
    REFUSED = auto()
    """Asterisk didn't move them."""


class Telling(Enum):
    """What is told of it."""

    ACCEPTED = auto()
    UNREACHABLE = auto()
    RETURNED = auto()
    STRAYED = auto()
    HUNG_UP = auto()


_W, _M, _C, _S, _R, _O = (
    Stage.WAITING,
    Stage.MOVING,
    Stage.CALLING,
    Stage.SERVED,
    Stage.RETURNING,
    Stage.OVER,
)
_Tellings = tuple[Telling, ...]

TABLE: dict[tuple[Stage, Happening], tuple[Stage, _Tellings]] = {
    (_W, Happening.ASTRAY): (_O, (Telling.UNREACHABLE,)),
    (_W, Happening.CUSTOMER_GONE): (_O, (Telling.HUNG_UP,)),
    (_M, Happening.LEFT_AGENT): (_C, ()),
    (_M, Happening.ANSWERED): (_S, (Telling.ACCEPTED,)),
    (_M, Happening.NOT_ANSWERED): (_R, (Telling.UNREACHABLE,)),
    (_M, Happening.SERVICE_OVER): (_R, (Telling.ACCEPTED,)),
    (_M, Happening.RECALLED): (_R, (Telling.UNREACHABLE,)),
    (_M, Happening.ASTRAY): (_O, (Telling.UNREACHABLE,)),
    (_M, Happening.CUSTOMER_GONE): (_O, (Telling.HUNG_UP,)),
    (_M, Happening.REFUSED): (_O, (Telling.UNREACHABLE,)),
    (_C, Happening.ANSWERED): (_S, (Telling.ACCEPTED,)),
    (_C, Happening.NOT_ANSWERED): (_R, (Telling.UNREACHABLE,)),
    (_C, Happening.SERVICE_OVER): (_R, (Telling.ACCEPTED,)),
    (_C, Happening.RECALLED): (_R, (Telling.UNREACHABLE,)),
    (_C, Happening.TOGETHER): (_O, (Telling.UNREACHABLE,)),
    (_C, Happening.ASTRAY): (_O, (Telling.UNREACHABLE,)),
    (_C, Happening.CUSTOMER_GONE): (_O, (Telling.HUNG_UP,)),
    (_S, Happening.NOT_ANSWERED): (_R, ()),
    (_S, Happening.SERVICE_OVER): (_R, ()),
    (_S, Happening.RECALLED): (_R, ()),
    (_S, Happening.TOGETHER): (_O, (Telling.RETURNED,)),
    (_S, Happening.ASTRAY): (_O, (Telling.STRAYED,)),
    (_S, Happening.CUSTOMER_GONE): (_O, (Telling.HUNG_UP,)),
    (_R, Happening.TOGETHER): (_O, (Telling.RETURNED,)),
    (_R, Happening.ASTRAY): (_O, (Telling.STRAYED,)),
    (_R, Happening.CUSTOMER_GONE): (_O, (Telling.HUNG_UP,)),
}
"""(stage, happening) to the next stage and what is told; whatever isn't here changes nothing."""

_ENDS = frozenset({Telling.UNREACHABLE, Telling.RETURNED, Telling.STRAYED, Telling.HUNG_UP})


@define(eq=False)
class Forwarding:
    """One hand-off on the platform. Tells at most one end of it, and nothing once it was withdrawn."""

    serial: str
    talk: Talk
    stage: Stage = Stage.MOVING
    ended: bool = False
    """Whether its end was told, or nobody wants to know any more."""
    recalled: bool = False
    """Whether Asterisk was asked to take the customer out. Twice would part customer and agent again."""
    service: str = ""
    """The id of the service's channel; empty before it is dialled."""
    cause: str = ""
    """Why that channel was hung up."""
    move: tuple[Action, ...] = field(default=(), repr=False)
    """What Asterisk is asked in order to begin."""

    def happen(self, happening: Happening) -> _Tellings:
        """Go to the next stage; what is to be told of it, in order."""
        stage, tellings = TABLE.get((self.stage, happening), (self.stage, ()))
        self.stage = stage
        told = []
        for telling in tellings:
            if not self.ended:
                told.append(telling)
                self.ended = telling in _ENDS
        return tuple(told)

    @property
    def comes_back(self) -> bool:
        """Whether the customer is on the way back to the agent, or is to be."""
        return self.ended or self.stage is Stage.RETURNING

    @property
    def to_be_recalled(self) -> bool:
        """Whether the customer is with a service that they should be with no longer."""
        return self.ended and not self.recalled and self.stage in (Stage.CALLING, Stage.SERVED)

    @property
    def is_on_its_way(self) -> bool:
        """Whether Asterisk was asked to move the customer, and hasn't said yet that it has."""
        return self.stage is Stage.MOVING or (self.recalled and self.stage in (Stage.CALLING, Stage.SERVED))

    @property
    def met(self) -> Status:
        """What kept it from being accepted so far."""
        awaited = self.stage in (Stage.MOVING, Stage.CALLING)
        return Status.TIMED_OUT if awaited else Status.SERVICE_UNREACHABLE


def status_of(dial_status: str, cause: str) -> Status:
    """What the failure of a call means, by the dialplan's DIALSTATUS and the hang-up cause (ITU-T Q.850)."""
    if dial_status == "NOANSWER" or (dial_status != "BUSY" and cause in ("18", "19")):
        return Status.TIMED_OUT
    if dial_status == "BUSY" or cause in ("17", "21"):
        return Status.SERVICE_REFUSED
    return Status.SERVICE_UNREACHABLE
