"""Signalling drivers: how a customer gets to a service [0039, 0045].

::

    CallOffers --offer(Offer)--> driver --ISignallingListener--> offered, accepted, returned, hung_up, unreachable
                                   |
              link: a Connection to a bound service, which forwards the call itself
              dial: the same over a link that the exchange opens
              asterisk: a transfer by an Asterisk, whose calls are seen (``telephony.call_model``)

A Connection is written, and a customer moved, only from the ``write`` of ``offered``: once it is committed whose
call it is.
"""
