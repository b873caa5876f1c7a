"""Tests of the repository itself: documents, layout, template, tools and releases."""
