"""The pytest plugin: the fixture `run_stores`. pytest loads it automatically if the package is installed.

Nothing but pytest is imported until a test uses the fixture, so that the plugin costs other tests nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from runstore.testing.replacement import RunStores

pytest.register_assert_rewrite("runstore.testing.contract")


@pytest.fixture
def run_stores(monkeypatch: pytest.MonkeyPatch) -> RunStores:
    """Replace the table by memory, wherever the tested code makes a `RunStore`; return what makes the same stores.

    `run_stores(run_id)` is the store of a run: use it to prepare the run and to look at it. Stores of one run share
    their state within a test, and each test begins with no runs. Modules that have imported `RunStore` before, and
    subclasses of it, get such stores too. Nothing is sent; `client` and `table_name` are ignored.
    """
    from runstore.testing.replacement import RunStores  # noqa: PLC0415 only tests that use the fixture pay for it

    return RunStores(monkeypatch)
