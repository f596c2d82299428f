"""Makes the server endpoint ``ctiex-tls:`` known."""

from ctiex.app.tls.endpoint import TlsEndpointParser

ctiex_tls = TlsEndpointParser()
