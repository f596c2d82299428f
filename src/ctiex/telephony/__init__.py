"""Telephone platforms: their protocols, and what is known of the calls there.

::

    signalling.transfer_driver
        |  orders                       ^  a snapshot, then events
        v                               |
    interfaces.telephony: ITelephonyPlatform, ITelephonyListener        nothing of Asterisk is known above this line
        |                               |
    asterisk.platform  ---------------> asterisk.snapshot, events: what AMI's lists and events mean
        |  asterisk.actions             |    |
        v                               |    '--> call_model.CallModel: who is connected with whom, who is held
    asterisk.ami_client, ami_link ------'    '--> asterisk.service_calls: why a call to a service failed
        AMI over TCP or TLS; the dialplan does the rest

    asterisk.fastagi, agi, media    voice for ``ctiex voice``: prompts out, digits in

Beside it, on the same connection, call control: ``interfaces.call_platform``, which ``asterisk.calls`` provides::

    asterisk.call_orders, queues (orders) -> call_actions -> AMI, calls.conf
    AMI's events -> asterisk.legs (leg_book, leg_facts, legs_snapshot) -> leg_model.LegModel
    asterisk.desk_states: which agents off the hook are free, for the queues

``call_model`` and ``leg_model`` are of any platform.
"""
