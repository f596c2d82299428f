"""The links: what may be said on them, sans-IO, and the exchange's end of each over a transport."""
