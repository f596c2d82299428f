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

``call_model`` is of any platform.
"""
