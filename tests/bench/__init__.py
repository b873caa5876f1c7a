"""Measurements of speed and cost: `make bench`, or `python -m tests.bench [TABLE ...]` for some of the tables.

A module `bench_<table>.py` in this folder is a table. It has `TITLE`, one line, and a function

    def measure(bench: Bench) -> Iterator[Row]

that yields a row for each figure as soon as it is known. What is compared is measured side by side, in turns, in the
same run. `Bench.backend` is DynamoDB Local, started when it is first asked for; `Bench.metered_client()` is a client
whose requests are counted as AWS would charge for them.
"""
