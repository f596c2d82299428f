"""Monitoring: counters and the audit log."""
