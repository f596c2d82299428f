"""The line protocols of Asterisk, and the dialplans that go with them."""
