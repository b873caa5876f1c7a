"""The operations on one key: append, replace and read."""
