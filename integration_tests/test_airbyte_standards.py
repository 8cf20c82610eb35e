"""Airbyte's own tests of a source. Their configurations are in acceptance-test-config.yml."""

import tempfile
from pathlib import Path

import pytest
from airbyte_cdk.test.models import ConnectorTestScenario
from airbyte_cdk.test.standard_tests import SourceTestSuiteBase
from typing_extensions import override

from sandbox import Sandbox
from source_tyntec_sms import SourceTyntecSms

# Runs every test once for each configuration.
pytest_plugins = ["airbyte_cdk.test.standard_tests.pytest_hooks"]


@pytest.mark.filterwarnings("error::airbyte_cdk.test.standard_tests.DiscoveredCatalogWarning")
class TestAirbyteStandards(SourceTestSuiteBase):
    """The suite. Its tests marked `image_tests` need Docker, and pyproject.toml deselects them."""

    connector = SourceTyntecSms

    @pytest.fixture(autouse=True)
    def _read_from_the_sandbox(
        self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # the suite leaves files behind

    @override
    def test_discover(self, scenario: ConnectorTestScenario) -> None:
        """Succeeds with a bad key, too: discovery sends no request. The suite would skip it."""
        super().test_discover(scenario.with_expecting_success())
