"""The configuration: its model, how it is read, and what it is held against."""
