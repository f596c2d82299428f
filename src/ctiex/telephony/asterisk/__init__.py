"""Asterisk: its manager interface (AMI), FastAGI, settings."""
