"""The end of a run: completion and retirement."""
