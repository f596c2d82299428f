"""What is told to operators: counters and the audit log."""
