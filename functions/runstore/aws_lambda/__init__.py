"""What the Lambda functions share: the entry point and SnapStart."""
