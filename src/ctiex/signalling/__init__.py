"""Signalling drivers: how a customer gets to a service [0039, 0045].

::

    CallOffers --offer(Offer)--> driver --ISignallingListener--> offered, accepted, returned, hung_up, unreachable
                                   |
              link: a Connection to a bound service, which forwards the call itself
              dial: the same over a link that the exchange opens
              transfer_driver: a transfer on a telephone platform whose calls are seen (``asterisk``: on an Asterisk)

A Connection is written, and a customer moved, only from the ``write`` of ``offered``: once it is committed whose
call it is.

The transfer driver stands on any ``ITelephonyPlatform``::

    offer -> transfer_start -> waiting_offers: whom it means -> platform.prepare_transfer -> offered -> the move
                                                                                              |
    platform -- events --> seen_calls -> conversations: who talks with whom -> call_arrived   v
                               '-------> transfer: each customer's way there and back, by its TABLE
    platform -- snapshot --> resumption: after every loss of the connection, and after a restart
"""
