"""Tests of single modules and of the repository's shape."""
