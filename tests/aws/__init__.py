"""`make test-aws`: what only a real account can show, claim by claim. `make test-aws ENDPOINT=local` tests it here."""
