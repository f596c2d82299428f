"""Makes the server endpoint ``ctiex-tls:`` known."""

from ctiex.tls.endpoint import TlsEndpointParser

ctiex_tls = TlsEndpointParser()
