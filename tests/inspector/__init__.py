"""The command `runstore` and its page."""
