"""What the plays of both roles have in common: links that come, waits, and what is held against a client."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from attrs import evolve, frozen

from ctiex.errors import Status
from ctiex.interfaces import ICodec
from ctiex.messages import (
    KIND_OF,
    Bind,
    BindReply,
    Error,
    Message,
    Ping,
    Role,
    Unbind,
    UnbindReply,
)
from ctiex.testing.conformance.played_link import Manners, PlayedLink, Said, complaint_in_words
from ctiex.testing.conformance.verdicts import Failed, NotSeen
from ctiex.testing.conformance.waits import Late, Patience, PatientWaits

_Found = TypeVar("_Found")

EXCHANGE_ADDRESS = "conformance.example:7301"
_AGREED = BindReply(0, session="conformance", heartbeat_s=30, max_in_flight=100, exchange_address=EXCHANGE_ADDRESS)


@frozen
class OpenRequest:
    """A request of the client that the exchange hasn't answered."""

    link: PlayedLink
    invoke_id: int
    request: Any
    at: float


class Play(PatientWaits, ABC):
    """The exchange in all cases of one run: what stands in one play goes on in the next."""

    role: ClassVar[Role]
    granted: ClassVar[frozenset[str]] = frozenset()
    """The features that a client of this role gets when it asks for them."""

    def __init__(self, clock: Any, codec: ICodec, patience: Patience) -> None:
        super().__init__(clock, patience)
        self.codec = codec
        self.manners = Manners()
        """Of links that are taken from now on."""
        self.agreed: dict[str, Any] = {}
        """What their BindReplies say in place of the usual."""
        self._coming: list[PlayedLink] = []
        """Links that no play has taken."""
        self.links: list[PlayedLink] = []
        """Those of this case."""
        self._seen = False
        """Whether the client has come to where the case begins."""
        self.wanted_features: frozenset[str] = frozenset()
        """Those that the client asked for at its last Bind."""

    # ------------------------------------------------------------ what the roles say

    @abstractmethod
    async def begin(self, **agreed: Any) -> OpenRequest:
        """Bring the client to where it waits for an answer.

        :param agreed: what the BindReply says in place of the usual.
        :raise NotSeen: it doesn't come there.
        """

    @abstractmethod
    async def come_back(self, before: OpenRequest) -> PlayedLink:
        """The client's next link, with all that it says before its requests."""

    @abstractmethod
    async def repeated(self, before: OpenRequest) -> OpenRequest:
        """Behind a cut: the same request again, on the next link."""

    async def recovers(self, before: OpenRequest) -> None:
        """Behind a lost link: the client asks the same again, and goes on to the end of the call."""
        again = await self.repeated(before)
        self.answer(again)
        await self.finish(again.link)

    @abstractmethod
    def yes(self, asked: OpenRequest) -> Message:
        """The reply that it wants."""

    def answer(self, asked: OpenRequest) -> None:
        """Answer it as it wants."""
        asked.link.send(self.yes(asked), asked.invoke_id)

    @abstractmethod
    async def finish(self, link: PlayedLink) -> None:
        """Go on as usual to the end of the call, behind the answer."""

    @abstractmethod
    def gave_up(self, asked: OpenRequest) -> str | None:
        """What the client does, when it no longer waits for the answer; None while it does."""

    @abstractmethod
    def sample(self, asked: OpenRequest) -> tuple[Message, int]:
        """A message that the exchange might send now, and its invoke id."""

    other_reply: ClassVar[Message]
    """A reply of the same role to something else."""
    not_for_it: ClassVar[Message]
    """A message for the other role."""

    @abstractmethod
    def heard(self, link: PlayedLink, said: Said) -> None:
        """Answer at once what every exchange answers so, whatever is played."""

    @abstractmethod
    def forget(self) -> None:
        """The next client is another process, which knows of nothing."""

    # ------------------------------------------------------------ links

    def new_link(self) -> PlayedLink:
        """Make the end of a link that has been opened."""
        link = PlayedLink(self.clock, self.codec, self._changed)
        self._coming.append(link)
        return link

    def _changed(self, link: PlayedLink, said: Said | None) -> None:
        if said is not None and isinstance(said.message, Unbind):
            link.said.remove(said)
            link.goodbye(said.invoke_id)
        elif said is not None:
            self.heard(link, said)
        self.something_happened()

    async def link(self) -> PlayedLink:
        """The next link, on which the client has said Bind; it isn't answered."""
        return self._take_link(await self.comes(self._came, "Bind"))

    async def link_soon(self) -> PlayedLink | None:
        """The same, where it comes before it is believed that the client does nothing more."""
        try:
            return self._take_link(await self.until(self._came, self.patience.settles))
        except Late:
            return None

    def _came(self) -> PlayedLink | None:
        self._coming = [link for link in self._coming if not link.lost]
        return next((link for link in self._coming if link.said), None)

    def _take_link(self, link: PlayedLink) -> PlayedLink:
        self._coming.remove(link)
        self.links.append(link)
        link.manners = evolve(self.manners)
        return link

    async def bound(self, **agreed: Any) -> PlayedLink:
        """The next link, bound."""
        link = await self.link()
        self.let_bind(link, **agreed)
        return link

    def let_bind(self, link: PlayedLink, **agreed: Any) -> None:
        """Answer the Bind by 0.

        :raise Failed: it is none, or one in another role.
        """
        said = link.take(Bind)
        if said is None:
            raise Failed(f"began with {type(link.said[0].message).__name__}, not with Bind")
        assert isinstance(said.message, Bind)
        if said.message.role is not self.role:
            raise Failed(f"said Bind in the role {said.message.role.name.lower()}")
        self.wanted_features = frozenset(said.message.features.split())
        features = " ".join(sorted(self.wanted_features & self.granted))
        reply = evolve(_AGREED, **{"features": features, **self.agreed, **agreed})
        link.send(reply, said.invoke_id)
        link.agree(reply.max_frame)

    async def unbinds(self, link: PlayedLink, status: Status = Status.GOING_AWAY) -> None:
        """A link that has just been bound is sent away by this status, whatever the client is about to do there."""
        self.let_bind(link)
        await self.unbind(link, status=status)

    def cut(self, link: PlayedLink) -> None:
        """Close a link without a word."""
        link.close()

    def end(self) -> None:
        """The case is over: its links go."""
        self.manners, self.agreed = Manners(), {}
        for link in self.links:
            if not link.lost:
                link.close()
        self.links = []
        self._seen = False

    def close(self) -> None:
        """The kit ends, and with it links that no case has taken."""
        self.links += self._coming
        self._coming = []
        self.end()

    def check(self) -> None:
        """Hold against the client what no case allows.

        :raise Failed: it complained of something, or sent what can't be read.
        """
        for link in self.links:
            if link.fault:
                raise Failed(link.fault)
            if link.complaints:
                raise Failed(complaint_in_words(link.complaints[0]))

    # ------------------------------------------------------------ waits

    async def comes(self, reached: Callable[[], _Found | None], what: str) -> _Found:
        """Something that the client has to do.

        :raise NotSeen: it doesn't, and the case hasn't begun.
        :raise Failed: it doesn't.
        """
        try:
            return await self.until(reached, self.patience.acts)
        except Late:
            text = f"no {what} came within {self.patience.acts:g} s"
            raise Failed(text) if self._seen else NotSeen(text) from None

    async def says(self, link: PlayedLink, reached: Callable[[], _Found | None], what: str) -> _Found:
        """Something that the client has to do on this link.

        :raise Failed: it closes it, or complains.
        """

        def look() -> _Found | None:
            found = reached()
            if not found:
                self.check()
                if link.lost or link.unbound:
                    raise Failed(f"left the link, and said no {what}")
            return found

        return await self.comes(look, what)

    def begun(self) -> None:
        """The client is where the case begins: from now on all is held against it."""
        self._seen = True

    async def takes(self, link: PlayedLink, kind: type[Message], wanted: Callable[[Any], bool] = bool) -> OpenRequest:
        """The client's next request of this class.

        :param wanted: which of them.
        """
        said = await self.says(link, lambda: link.take(kind, lambda one: wanted(one)), kind.__name__)
        return OpenRequest(link, said.invoke_id, said.message, said.at)

    async def replies(self, link: PlayedLink, invoke_id: int, kind: type[Message]) -> Any:
        """The client's reply to a request of the exchange."""
        return (await self.says(link, lambda: link.reply_to(invoke_id, kind), kind.__name__)).message

    async def complains(self, link: PlayedLink, status: int, about: int, invoke_id: int) -> None:
        """The client has to answer something by Error."""
        wanted = f"Error {status}"

        def found() -> Said | None:
            return link.complaints.pop(0) if link.complaints else None

        said = await self.says(link, found, wanted)
        message = said.message
        assert isinstance(message, Error)
        if (message.status, message.about, said.invoke_id) != (status, about, invoke_id):
            raise Failed(
                f"answered Error {message.status} about {message.about:#x} under {said.invoke_id},"
                f" not {wanted} about {about:#x} under {invoke_id}"
            )

    async def nothing(self, happened: Callable[[], str | None]) -> None:
        """For a while nothing of a kind may happen.

        :raise Failed: it does.
        """

        def look() -> str | None:
            self.check()
            return happened()

        try:
            instead = await self.until(look, self.patience.settles)
        except Late:
            return
        raise Failed(instead)

    async def still_waits(self, asked: OpenRequest) -> None:
        """The client goes on waiting for its answer.

        :raise Failed: it doesn't.
        """
        await self.nothing(lambda: self.gave_up(asked))

    async def is_there(self, link: PlayedLink) -> None:
        """The link still works: the client answers a Ping."""
        invoke_id = link.send(Ping())
        await self.says(link, lambda: invoke_id in link.pongs, f"Pong under {invoke_id}")

    async def unbind(self, link: PlayedLink, invoke_id: int | None = None, status: Status = Status.GOING_AWAY) -> None:
        """Send the client away: by 15 as an exchange does that goes down, by 11 where the identity is no more."""
        sent = link.send(Unbind(status, "this link is sent away"), invoke_id)
        await self.replies(link, sent, UnbindReply)
        link.close()


def kind_of(message: Message | type[Message]) -> int:
    """The kind of a message, or of its class."""
    return KIND_OF[message if isinstance(message, type) else type(message)]
