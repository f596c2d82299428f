"""The functions of the CTI [0047]: the calls of agents as a model, orders on them, and the agents' states.

::

    platform -- legs --> views: who is a party, in which state --> changes: what has happened --> monitors --> links
                                                                                                                 |
    platform <-- moves -- orders: each function, one at a time for a call <-- service: allowed, and by whom  <---+

The model is worked out of the platform's legs each time that one of them changes, so a snapshot after a loss of events
and an event that came in time lead to the same. Nothing here belongs to one make of platform.
"""
