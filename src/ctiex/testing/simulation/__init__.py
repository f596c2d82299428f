"""A deterministic simulation of the whole system in one process: agents, exchange, services, store, network.

The code of the exchange and of the clients is the real one; time, the network, the disk and the
people are simulated. A seed reproduces a run exactly. Begin with :func:`ctiex.testing.simulation.runs.run`.
"""
