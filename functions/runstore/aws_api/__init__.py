"""A small client for AWS's JSON services: signing, connections, retries. It serves DynamoDB and Step Functions."""
