"""The repository's template on the local stack, from outside."""
