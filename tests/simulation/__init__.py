"""The store under a scheduler: every interleaving, crash and lost message that we can think of."""
