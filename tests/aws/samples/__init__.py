"""The code of the functions that samples.yaml deploys."""
