"""For projects built on CTIEX: hypothesis strategies, contract tests for each interface, fakes.

Subclass a contract (:mod:`ctiex.testing.codec_contract` and its neighbours) in your own tests, give it
what you have built, and every rule of its interface is tried on it.
"""
