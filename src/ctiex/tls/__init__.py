"""TLS on the exchange's links: the endpoint ``ctiex-tls:``, its files, and what is logged about them.

``endpoint`` reads the endpoint string and listens; ``files`` reads certificates and keys and says what is wrong with
them; ``contexts`` does the handshakes, takes up files that have changed, and logs who was refused. Only ``files`` and
``contexts`` need the extra ``tls``.
"""
