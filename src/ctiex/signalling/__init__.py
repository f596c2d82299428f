"""The drivers that forward a customer to a service, and the carriers of the serial on the way."""
