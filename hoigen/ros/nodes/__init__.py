"""Managed nodes: message to record, one call of the core in a worker, record to message."""
