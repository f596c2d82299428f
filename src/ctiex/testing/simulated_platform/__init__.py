"""A telephone platform that is simulated: calls, agents, queues and orders, deterministic, with every kind of trouble.

:class:`SwitchBoard` is the truth: what its legs do is true at once. :class:`SimulatedPlatform` tells of it later, leg
by leg in any order, refuses orders, loses its connection and comes back with a snapshot.
"""
