"""How a call serial number travels with a call: inside the calling number, or in a header field."""
