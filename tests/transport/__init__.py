"""The direct transport: signatures, connections, answers, retries, and when it is chosen."""
