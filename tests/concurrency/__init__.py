"""The store under real threads and processes, on DynamoDB Local; histories with real times."""
