"""What the unit tests share."""

from collections.abc import Iterator

import pytest
from airbyte_cdk.utils import airbyte_secrets_utils
from hypothesis import settings

# A busy machine makes single examples slow. That is no failure.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def no_waits_and_no_secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Waits of next to nothing, and no key of one test masked in the messages of the next."""
    monkeypatch.setenv("TYNTEC_TIME_SCALE", "0.0001")
    monkeypatch.delenv("TYNTEC_API_URL", raising=False)
    airbyte_secrets_utils.update_secrets([])
    yield
    airbyte_secrets_utils.update_secrets([])
