"""Airbyte's own tests of a source, against the sandbox. Their configurations are in acceptance-test-config.yml."""

import tempfile
from pathlib import Path

import pytest
from airbyte_cdk.test.models import ConnectorTestScenario
from airbyte_cdk.test.standard_tests import SourceTestSuiteBase
from typing_extensions import override

from integration_tests.sandbox import Sandbox
from source_tyntec_sms import SourceTyntecSms

# Gives every test one run per configuration.
pytest_plugins = ["airbyte_cdk.test.standard_tests.pytest_hooks"]


@pytest.mark.filterwarnings("error::airbyte_cdk.test.standard_tests.DiscoveredCatalogWarning")
class TestAirbyteStandards(SourceTestSuiteBase):
    """The suite as it is. Its tests marked `image_tests` need a Docker engine; pyproject.toml deselects them."""

    connector = SourceTyntecSms

    @pytest.fixture(autouse=True)
    def _ask_the_sandbox(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("TYNTEC_API_URL", sandbox.url)
        # The suite leaves the files behind that it writes.
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    @override
    def test_discover(self, scenario: ConnectorTestScenario) -> None:
        """With a bad key too: the streams are always the same, so discovering them succeeds without asking tyntec.

        The suite would skip it, as it cannot know whether a source needs a good key for this.
        """
        super().test_discover(scenario.with_expecting_success())
