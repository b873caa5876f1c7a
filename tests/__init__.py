"""The tests, their backends and their simulation. Run them with `make test`."""
