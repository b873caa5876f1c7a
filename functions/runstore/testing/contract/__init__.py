"""What every store must do, as tests to hold a store of your own to. Needs pytest.

Make a class whose name begins with `Test`, and say how a store is made. Every call must return a store of another
writer, which shares the run's state with the others:

```python
from runstore.testing.contract import StoreContract


class TestMyStore(StoreContract):
    def new_store(self, run_id):
        return MyStore(run_id, table=TABLE)
```

runstore's own stores pass the same tests: `RunStore` on several DynamoDB implementations, and `InMemoryRunStore`.
Import one of the other classes to run a part of them.
"""

from __future__ import annotations

from runstore.testing.contract.base import Contract
from runstore.testing.contract.batches import BatchesContract
from runstore.testing.contract.counters import CountersContract
from runstore.testing.contract.lists import ListsContract
from runstore.testing.contract.prefixes import PrefixesContract
from runstore.testing.contract.refusals import RefusalsContract
from runstore.testing.contract.runs import RunsContract
from runstore.testing.contract.setdefault import SetdefaultContract
from runstore.testing.contract.tokens import TokensContract
from runstore.testing.contract.values import ValuesContract

__all__ = [
    "BatchesContract",
    "Contract",
    "CountersContract",
    "ListsContract",
    "PrefixesContract",
    "RefusalsContract",
    "RunsContract",
    "SetdefaultContract",
    "StoreContract",
    "TokensContract",
    "ValuesContract",
]


class StoreContract(
    ValuesContract,
    ListsContract,
    CountersContract,
    TokensContract,
    SetdefaultContract,
    BatchesContract,
    PrefixesContract,
    RefusalsContract,
    RunsContract,
):
    """The whole contract."""
