"""The code of the functions that trials.yaml deploys."""
