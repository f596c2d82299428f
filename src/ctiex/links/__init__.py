"""The links of agents and of automatic services: sessions over a Twisted transport.

What a read becomes, and what is written::

    bytes -> protocol.LinkProtocol -> session.Session -> agent.AgentLink / ivr.IvrLink -> ProcessingService
               |  turns.Turns: whose       decodes by a codec,         one request, one
               |  turn, how much           checks by rules,            callback with its reply
               |                           heartbeat, invoke ids
    bytes <- direct_send / transport <- outgoing.Outgoing <- replies, notices, events <--------'

``exchange.ExchangeLink`` is what both kinds have in common: how a link is admitted (``admission``), bound (``login``)
and ended. ``session`` and ``outgoing`` know no transport and no clock: bytes and time are passed in.
"""
