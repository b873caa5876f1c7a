"""What runs in the functions' own interpreter: standard library only, never the project or its environment."""
