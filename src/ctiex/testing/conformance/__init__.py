"""A conformance kit: it plays the exchange against somebody's own client, and does what is rare.

:mod:`ctiex.testing.conformance.kit` plays the cases, which stand in tables: each has a name, what a client should do,
and what is played.
"""
