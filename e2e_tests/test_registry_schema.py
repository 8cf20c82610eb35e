"""The registry entry against the registry's own JSON schema. The package that ships it needs Python below 3.13."""

import json
from importlib.resources import files
from pathlib import Path

import yaml
from jsonschema import Draft7Validator, FormatChecker

METADATA = Path(__file__).parent.parent / "metadata.yaml"


def test_the_registry_entry_follows_the_schema_of_the_registry() -> None:
    schema = files("airbyte_connector_models") / "metadata" / "v0" / "ConnectorMetadataDefinitionV0.json"
    # As the registry's own tools do: dates are texts in JSON.
    entry = json.loads(json.dumps(yaml.safe_load(METADATA.read_text()), default=str))
    validator = Draft7Validator(json.loads(schema.read_text()), format_checker=FormatChecker())
    assert [error.message for error in validator.iter_errors(entry)] == []
