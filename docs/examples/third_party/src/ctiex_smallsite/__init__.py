"""A codec and a call store for a small CTIEX site."""
