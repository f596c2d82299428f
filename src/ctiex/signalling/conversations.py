"""The conversations of a platform, and which serial names which customer: found at once, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sized

from ctiex.interfaces.telephony import Conversation, ICallModel, Party

_MOST_NAMES = 20
"""How many serials one customer goes by: each agent whom they were passed on to was told another one."""


class Conversations:
    """By their customers, their agents, and the agents' parties."""

    def __init__(self, customer_of: Callable[[str], str] = lambda serial: "") -> None:
        """None yet.

        :param customer_of: whom a serial names that no agent was told by this class.
        """
        self._ask = customer_of
        self._of_customer: dict[str, Conversation] = {}
        self._of_agent: dict[str, dict[str, Conversation]] = {}
        self._of_party: dict[str, dict[str, Conversation]] = {}
        self._customers: dict[str, str] = {}
        """The ids of customers, by each serial that an agent was told for them."""
        self._serials: dict[str, list[str]] = {}
        """The same the other way round."""
        self._left_alone: dict[str, str] = {}
        """By agents' parties whose customer hung up before they were held: the serial under which they may be yet."""

    def __len__(self) -> int:
        return len(self._of_customer)

    def __iter__(self) -> Iterator[Conversation]:
        return iter(list(self._of_customer.values()))

    @property
    def kept(self) -> int:
        """How many records there are, to see that none is left behind."""
        indices: tuple[Sized, ...] = (
            self._of_customer, self._of_agent, self._of_party, self._customers, self._serials, self._left_alone,
        )  # fmt: skip
        return sum(map(len, indices))

    def of_customer(self, id: str) -> Conversation | None:
        """That of the customer whose party has this id."""
        return self._of_customer.get(id)

    def of_agent(self, agent: str) -> list[Conversation]:
        """Those of this agent number."""
        return list(self._of_agent.get(agent, {}).values())

    # ------------------------------------------------------------ which serial names whom

    def told(self, conversation: Conversation, serial: str) -> bool:
        """The agent was told of the customer under this serial; empty: wasn't told.

        It names that customer as long as they are there, and never another. Returns whether the platform has to
        remember it, or to forget an earlier one.
        """
        conversation.serial = serial
        customer = conversation.customer.id
        if serial:
            self.named(customer, serial)
        return bool(serial) or customer in self._serials

    def named(self, customer: str, serial: str) -> None:
        """A serial names the customer with this id."""
        if serial in self._customers:
            return
        self._customers[serial] = customer
        serials = self._serials.setdefault(customer, [])
        serials.append(serial)
        if len(serials) > _MOST_NAMES:
            del self._customers[serials.pop(0)]

    def customer_of(self, serial: str) -> str:
        """The id of the customer whom a serial names; empty: of none."""
        return self._customers.get(serial) or self._ask(serial)

    # ------------------------------------------------------------ what happens

    def began(self, pair: Conversation) -> tuple[Conversation, bool]:
        """Two are connected: their conversation, and whether it is a new one.

        It is the same one when the agent's party is another (a forwarded extension, another device).
        """
        known = self._of_customer.get(pair.customer.id)
        if known is not None:
            self._unlink(known)
        same = known is not None and known.agent == pair.agent
        conversation = known if known is not None and same else pair
        conversation.customer, conversation.agent_party = pair.customer, pair.agent_party
        self._left_alone.pop(pair.agent_party.id, None)
        self._link(conversation)
        return conversation, not same

    def left_alone(self, agent: Party, serial: str) -> None:
        """The customer is gone who was to be transferred under a serial: whatever holds the agent for them is in vain.

        So it is until the agent talks with a customer again.
        """
        self._left_alone[agent.id] = serial

    def is_left_alone(self, agent: Party, serial: str) -> bool:
        """Whether no customer comes back to this agent under this serial."""
        return self._left_alone.get(agent.id) == serial

    def gone(self, id: str) -> None:
        """A party is gone, and its conversations with it."""
        self._left_alone.pop(id, None)
        conversation = self._of_customer.get(id)
        for one in [
            *self._of_party.get(id, {}).values(),
            *([conversation] if conversation is not None else []),
        ]:
            self._unlink(one)
        for serial in self._serials.pop(id, ()):
            del self._customers[serial]

    def go_on(self, call_model: ICallModel) -> Iterator[None]:
        """Go on with the conversations whose parties are both still there, in a call model read again, one by one."""
        for conversation in self:
            self._go_on(conversation, call_model)
            yield
        for id in (*self._serials, *self._left_alone):
            if call_model.party(id) is None:
                self.gone(id)
            yield

    def _go_on(self, conversation: Conversation, call_model: ICallModel) -> None:
        customer, agent_party = (call_model.party(one.id) for one in (conversation.customer, conversation.agent_party))
        if customer is None:
            self.gone(conversation.customer.id)
        elif agent_party is None:
            self._unlink(conversation)
        else:
            conversation.customer, conversation.agent_party = customer, agent_party

    def _link(self, conversation: Conversation) -> None:
        customer = conversation.customer.id
        self._of_customer[customer] = conversation
        self._of_agent.setdefault(conversation.agent, {})[customer] = conversation
        self._of_party.setdefault(conversation.agent_party.id, {})[customer] = conversation

    def _unlink(self, conversation: Conversation) -> None:
        customer = conversation.customer.id
        if self._of_customer.get(customer) is not conversation:
            return  # another one is in its place already
        del self._of_customer[customer]
        for index, key in (
            (self._of_agent, conversation.agent),
            (self._of_party, conversation.agent_party.id),
        ):
            index[key].pop(customer, None)
            if not index[key]:
                del index[key]
