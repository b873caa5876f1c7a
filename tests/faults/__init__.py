"""What the store does when requests, answers and clocks go wrong below boto3."""
