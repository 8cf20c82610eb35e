"""What is said twice, in the registry entry, the Dockerfile, setup.py and the package, is the same."""

import re
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from source_tyntec_sms.config import API_URL
from source_tyntec_sms.session import READ
from unit_tests.conftest import LOGGER, source, streams

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PAGE = (ROOT / "docs/integrations/sources/tyntec-sms.md").read_text()
METADATA: dict[str, Any] = yaml.safe_load((ROOT / "metadata.yaml").read_text())["data"]


def test_the_version_is_that_of_the_package() -> None:
    package = version("airbyte-source-tyntec-sms")
    assert METADATA["dockerImageTag"] == package
    assert re.findall(r'io\.airbyte\.version="(.*)"', DOCKERFILE) == [package]
    assert re.findall(r"^\| (\d+\.\d+\.\d+) \|", PAGE, re.MULTILINE)[0] == package, (
        "the changelog starts with another one"
    )


def test_the_name_of_the_package_is_that_of_setup_py() -> None:
    assert METADATA["remoteRegistries"]["pypi"] == {"enabled": True, "packageName": "airbyte-source-tyntec-sms"}
    assert version(METADATA["remoteRegistries"]["pypi"]["packageName"])


def test_each_breaking_change_is_in_the_changelog_and_in_the_migration_guide() -> None:
    guide = (ROOT / "docs/integrations/sources/tyntec-sms-migrations.md").read_text()
    changes = METADATA["releases"]["breakingChanges"]
    assert changes.keys() == {
        f"{number}.0.0" for number in range(1, int(METADATA["dockerImageTag"].partition(".")[0]) + 1)
    }
    for breaking, change in changes.items():
        assert re.search(rf"^\| {breaking} \|.*\*\*Breaking change\*\*", PAGE, re.MULTILINE)
        assert f"\n## Upgrading to {breaking}\n" in guide
        assert change["upgradeDeadline"] in guide
        anchor = f"upgrading-to-{breaking.replace('.', '')}"
        assert change["migrationDocumentationUrl"] == f"{METADATA['documentationUrl']}-migrations#{anchor}"


def test_the_name_and_the_base_of_the_image_are_those_of_the_dockerfile() -> None:
    assert re.findall(r'io\.airbyte\.name="(.*)"', DOCKERFILE) == [METADATA["dockerRepository"]]
    assert re.findall(r"ARG BASE_IMAGE=(.*)", DOCKERFILE) == [METADATA["connectorBuildOptions"]["baseImage"]]


def test_the_documentation_is_that_of_the_spec() -> None:
    assert METADATA["documentationUrl"] == source().spec(LOGGER).documentationUrl


def test_the_only_host_is_that_of_the_api() -> None:
    assert [f"https://{host}" for host in METADATA["allowedHosts"]["hosts"]] == [API_URL]


def test_only_the_stream_that_every_account_has_is_preselected() -> None:
    assert METADATA["suggestedStreams"]["streams"] == ["message_status"]
    assert "message_status" in streams()


def test_a_healthy_sync_is_never_silent_for_longer_than_the_platform_waits() -> None:
    """The longest silence: a request whose attempts all take as long as they may, behind as long a wait for tyntec."""
    waits = sum(READ.wait(attempt) for attempt in range(1, READ.max_attempts))
    longest = READ.max_attempts * (READ.connect_timeout + READ.answer_timeout) + waits + READ.longest_hold
    assert 2 * longest < METADATA["maxSecondsBetweenMessages"]


def test_the_icon_is_there() -> None:
    assert (ROOT / METADATA["icon"]).read_text().startswith("<svg")


def test_the_image_pins_what_setup_py_asks_for_and_nothing_but_versions() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.!+]+( ; .*)?", line) for line in lines)
    pins = {canonicalize_name(name): pin for name, _, pin in (line.partition("==") for line in lines)}
    for requirement in map(Requirement, requires("airbyte-source-tyntec-sms") or []):
        if not requirement.marker:
            assert pins[canonicalize_name(requirement.name)] in requirement.specifier
