"""Holds the published schema against the shipped files and against the parser's table of bad files.

    pip install -r Tests/Interop/requirements.txt
    pytest Tests/Interop/test_schema.py

Each bad/NAME.yaml says in its first line what the schema does with it: `refuses`, `accepts` (what is wrong there takes
more than a schema to see) or `not-yaml`. bad/NAME.expected is what the parser says; where both refuse, they point at
one place.
"""

import json
import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parent.parent.parent
FIXTURES = ROOT / "Tests" / "Fixtures" / "topologies"
SCHEMA = json.loads((ROOT / "topologies" / "schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
STORIES = ROOT / "Tests" / "Fixtures" / "stories"
GOOD = [
    *sorted((ROOT / "topologies").glob("*.yaml")),
    FIXTURES / "minimal.yaml",
    FIXTURES / "full.yaml",
    *sorted(STORIES.glob("*.yaml")),
]
BAD = sorted((FIXTURES / "bad").glob("*.yaml"))


class CoreLoader(yaml.SafeLoader):
    """YAML 1.2's core schema (PyYAML's own is 1.1: there `on` is true and 1:30 is ninety), repeated keys refused."""

    yaml_implicit_resolvers = {}

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for index, key in enumerate(keys):
            if key in keys[:index]:
                raise yaml.constructor.ConstructorError(None, None, f"repeated key {key!r}", node.value[index][0].start_mark)
        return super().construct_mapping(node, deep)


for tag, pattern in [
    ("null", r"^(?:~|null|Null|NULL|)$"),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$"),
    ("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"),
    ("float", r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"),
]:
    CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), None)

# PyYAML's own constructor takes 1e-5 for text.
CoreLoader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: float(node.value))
CoreLoader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(node.value, 10))


def load(path):
    return yaml.load(path.read_text(encoding="utf-8"), CoreLoader)


def span(path, error):
    """The lines of the element that a schema error is about."""
    node = yaml.compose(path.read_text(encoding="utf-8"), CoreLoader)
    for step in error.absolute_path:
        if isinstance(step, int):
            node = node.value[step]
        else:
            node = next(value for key, value in node.value if key.value == step)
    return range(node.start_mark.line + 1, node.end_mark.line + 2)


def leaves(error):
    """The errors inside an `oneOf`, where its alternatives fail."""
    return [leaf for inner in error.context for leaf in leaves(inner)] + [error]


def verdict(path):
    """What the file's first line says the schema does with it."""
    return re.match(r"# schema: (refuses|accepts|not-yaml)\n", path.read_text(encoding="utf-8")).group(1)


def test_schema_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)


def test_every_object_is_closed():
    def walk(schema):
        if isinstance(schema, dict):
            if schema.get("type") == "object":
                assert schema.get("additionalProperties") is False, schema.get("description")
            for value in schema.values():
                walk(value)
        elif isinstance(schema, list):
            for value in schema:
                walk(value)

    walk(SCHEMA)


def test_every_definition_is_used():
    used = set(re.findall(r"#/\$defs/(\w+)", json.dumps(SCHEMA)))
    assert used == set(SCHEMA["$defs"])


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_good_file_fits(path):
    errors = [f"{span(path, error).start}: {error.message}" for error in VALIDATOR.iter_errors(load(path))]
    assert errors == []


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_schema_and_parser_agree(path):
    expected = path.with_suffix(".expected").read_text(encoding="utf-8").splitlines()
    told = {int(text.split(":")[0]) for text in expected if ": error: " in text}
    assert told, "the parser accepts this file"
    if verdict(path) == "not-yaml":
        try:
            loaded = load(path)
        except yaml.YAMLError:
            return
        assert loaded is None
        return
    errors = list(VALIDATOR.iter_errors(load(path)))
    assert bool(errors) == (verdict(path) == "refuses"), [error.message for error in errors]
    if errors:
        spans = [span(path, leaf) for error in errors for leaf in leaves(error)]
        assert any(told.intersection(lines) for lines in spans), [error.message for error in errors]


def test_table_has_all_three_kinds():
    assert len(BAD) >= 30
    assert {verdict(path) for path in BAD} == {"refuses", "accepts", "not-yaml"}
