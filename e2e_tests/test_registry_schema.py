"""The registry entry against the registry's own JSON schema. The package that ships it needs Python below 3.13."""

import json
from importlib.resources import files
from pathlib import Path

import yaml
from jsonschema import Draft7Validator, FormatChecker

METADATA = Path(__file__).parent.parent / "metadata.yaml"


def test_the_registry_entry_follows_the_schema_of_the_registry() -> None:
    file = files("airbyte_connector_models") / "metadata" / "v0" / "ConnectorMetadataDefinitionV0.json"
    # Its references start at the top. With an $id, a part of the schema would be the top for the references in it.
    schema = json.loads(file.read_text(), object_hook=lambda part: {key: part[key] for key in part if key != "$id"})
    # As the registry's own tools do: dates are strings in JSON.
    entry = json.loads(json.dumps(yaml.safe_load(METADATA.read_text()), default=str))
    validator = Draft7Validator(schema, format_checker=FormatChecker())
    assert [error.message for error in validator.iter_errors(entry)] == []
