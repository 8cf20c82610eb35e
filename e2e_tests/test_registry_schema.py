"""The registry entry follows the JSON schema of Airbyte's registry."""

import json

import yaml
from jsonschema import Draft7Validator, FormatChecker

from e2e_tests.clients import REGISTRY, ROOT

FILE = "airbyte_connector_models/metadata/v0/ConnectorMetadataDefinitionV0.json"


def test_the_registry_entry_is_valid() -> None:
    [file] = REGISTRY.bin.parent.glob(f"lib/*/site-packages/{FILE}")
    # References start at the top. With an $id, a part of the schema would be its own top.
    schema = json.loads(
        file.read_text(), object_hook=lambda part: {key: part[key] for key in part if key != "$id"}
    )
    # As in the registry's own tools, dates are strings.
    entry = json.loads(
        json.dumps(yaml.safe_load((ROOT / "metadata.yaml").read_text()), default=str)
    )
    validator = Draft7Validator(schema, format_checker=FormatChecker())
    assert [error.message for error in validator.iter_errors(entry)] == []
