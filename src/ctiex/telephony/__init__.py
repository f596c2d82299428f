"""Telephone platforms: their protocols, and what is known of the calls there.

::

    asterisk.ami_link, ami_client   AMI over TCP or TLS: actions and events
            |
            v
    asterisk.snapshot -> call_model.CallModel: channels, bridges, who talks with whom
            |
            v
    signalling.asterisk (a driver): transfers, and what became of them

    asterisk.fastagi, agi, media    voice for ``ctiex voice``: prompts out, digits in
"""
