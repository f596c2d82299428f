"""Asterisk: a telephone platform by its manager interface (AMI), voice by FastAGI, and the settings of both."""
