"""Everything that knows how to reach DynamoDB: the table's requests, transports and the meaning of failures."""
