"""Facts that are written twice are the same in both places."""

import re
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from source_tyntec_sms.client import READ
from source_tyntec_sms.config import API_URL
from unit_tests.helpers import LOGGER, source
from unit_tests.tyntec import STREAMS

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PAGE = (ROOT / "docs/integrations/sources/tyntec-sms.md").read_text()
METADATA: dict[str, Any] = yaml.safe_load((ROOT / "metadata.yaml").read_text())["data"]


def test_the_version_is_that_of_the_package() -> None:
    package = version("airbyte-source-tyntec-sms")
    assert METADATA["dockerImageTag"] == package
    assert re.findall(r'io\.airbyte\.version="(.*)"', DOCKERFILE) == [package]
    assert re.findall(r"^\| (\d+\.\d+\.\d+) \|", PAGE, re.MULTILINE)[0] == package


def test_the_name_is_that_of_the_package() -> None:
    pypi = {"enabled": True, "packageName": "airbyte-source-tyntec-sms"}
    assert METADATA["remoteRegistries"]["pypi"] == pypi


def test_a_breaking_change_is_in_changelog_and_guide() -> None:
    guide = (ROOT / "docs/integrations/sources/tyntec-sms-migrations.md").read_text()
    changes = METADATA["releases"]["breakingChanges"]
    major = int(METADATA["dockerImageTag"].partition(".")[0])
    assert changes.keys() == {f"{number}.0.0" for number in range(1, major + 1)}
    for breaking, change in changes.items():
        assert re.search(rf"^\| {breaking} \|.*\*\*Breaking change\*\*", PAGE, re.MULTILINE)
        assert f"\n## Upgrading to {breaking}\n" in guide
        assert change["upgradeDeadline"] in guide
        url = f"{METADATA['documentationUrl']}-migrations"
        assert change["migrationDocumentationUrl"] == (
            f"{url}#upgrading-to-{breaking.replace('.', '')}"
        )


def test_the_image_is_that_of_the_dockerfile() -> None:
    base = METADATA["connectorBuildOptions"]["baseImage"]
    assert re.findall(r'io\.airbyte\.name="(.*)"', DOCKERFILE) == [METADATA["dockerRepository"]]
    assert re.findall(r"ARG BASE_IMAGE=(.*)", DOCKERFILE) == [base]


def test_the_documentation_is_that_of_the_spec() -> None:
    assert METADATA["documentationUrl"] == source().spec(LOGGER).documentationUrl


def test_the_only_host_is_that_of_the_api() -> None:
    assert [f"https://{host}" for host in METADATA["allowedHosts"]["hosts"]] == [API_URL]


def test_only_message_status_is_suggested() -> None:
    assert METADATA["suggestedStreams"]["streams"] == [next(iter(STREAMS))]


def test_a_healthy_sync_is_never_silent_for_too_long() -> None:
    """A request can take all attempts, with the longest waits and time-outs, after a full limit."""
    attempt = READ.connect_timeout + READ.read_timeout + READ.longest_wait
    longest = READ.max_attempts * attempt + READ.longest_limit
    assert 2 * longest < METADATA["maxSecondsBetweenMessages"]


def test_the_icon_exists() -> None:
    assert (ROOT / METADATA["icon"]).read_text().startswith("<svg")


def test_the_image_pins_what_setup_py_requires() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.!+]+( ; .*)?", line) for line in lines)
    pins = {
        canonicalize_name(name): pin for name, _, pin in (each.partition("==") for each in lines)
    }
    for requirement in map(Requirement, requires("airbyte-source-tyntec-sms") or []):
        if not requirement.marker:
            assert pins[canonicalize_name(requirement.name)] in requirement.specifier
