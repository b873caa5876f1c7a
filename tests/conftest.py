"""Fixtures and settings that hold for every test."""

import os
from collections.abc import Iterator

import hypothesis
import pytest

pytest_plugins = ["tests.backends.fixtures"]

# No test asserts on time, and two busy cores would make a deadline do so.
hypothesis.settings.register_profile("runstore", deadline=None, print_blob=True)
hypothesis.settings.load_profile("runstore")


@pytest.fixture(autouse=True, scope="session")
def _no_settings_of_this_machine() -> Iterator[None]:
    """Keep every test away from the user's own AWS account and settings."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith(("AWS_", "RUNSTORE_", "POWERTOOLS_")):
                patch.delenv(name)
        patch.setenv("AWS_ACCESS_KEY_ID", "local")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "local")
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        yield
