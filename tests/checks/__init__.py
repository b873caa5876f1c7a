"""Checks that no linter makes; run by `make check`."""
