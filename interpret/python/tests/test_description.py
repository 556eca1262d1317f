"""Methods and types, against the server's description: the file LMDEBUGGER_OPENAPI, its YAML as JSON."""

from __future__ import annotations

import inspect
import json
import os
import unittest
from pathlib import Path
from typing import Any, Callable, Dict, Set, Union, get_args, get_origin, get_type_hints

from lmdebugger import Client, Sweep, types

FILE = os.environ.get("LMDEBUGGER_OPENAPI")

METHODS: Dict[Callable[..., Any], str] = {
    Client.tokenize: "post /tokenize", Client.trace: "post /trace", Client.coefficients: "post /coefficients",
    Client.sweep: "post /sweeps", Client.patch: "post /patch", Client.edges: "post /edges",
    Client.generate: "post /generate", Client.value: "get /values/{vector}",
    Client.similar: "get /values/{vector}/similar", Client.examples: "get /values/{vector}/examples",
    Client.corpus: "get /corpora/{name}", Client.search: "get /search", Client.search_tokens: "get /search/tokens",
    Client.search_examples: "get /search/examples", Sweep.strongest: "get /sweeps/{id}/strongest",
}
CALLBACKS = {"progress", "received"}

TYPES = {
    types.Model: "Model", types.Tokenized: "Tokenized", types.Trace: "Trace", types.Coefficients: "Coefficients",
    types.SweepState: "Sweep", types.Patched: "Patched", types.PatchedEdges: "PatchedEdges",
    types.GeneratedToken: "GeneratedToken", types.Generated: "Generated", types.ListedCorpus: "ListedCorpus",
    types.Corpus: "Corpus", types.Examples: "Examples", types.Value: "Value",
}
SCALARS = {int: "integer", float: "number", str: "string", bool: "boolean"}


@unittest.skipUnless(FILE, "no LMDEBUGGER_OPENAPI (expected: the path of the server's description as JSON)")
class DescriptionTest(unittest.TestCase):
    def setUp(self) -> None:
        self.document = json.loads(Path(FILE or "").read_text("utf-8"))

    def followed(self, item: Dict[str, Any]) -> Dict[str, Any]:
        """Returns what an item refers to, or itself."""
        if "$ref" not in item:
            return item
        found = self.document
        for key in item["$ref"][2:].split("/"):
            found = found[key]
        return self.followed(found)

    def resolved(self, described: Dict[str, Any]) -> Dict[str, Any]:
        """Returns a schema with the properties of those that it is all of."""
        schema = self.followed(described)
        result = {**schema, "properties": dict(schema.get("properties", {})), "required": list(schema.get("required", []))}
        for part in map(self.resolved, schema.get("allOf", [])):
            result.setdefault("type", part["type"])
            result["properties"].update(part["properties"])
            result["required"] += part["required"]
        return result

    def parameters(self, operation: str) -> Dict[str, bool]:
        """Returns the parameters of an operation, and whether each is required."""
        method, path = operation.split()
        item = self.document["paths"]["/api/v1" + path]
        listed = [self.followed(each) for each in item.get("parameters", []) + item[method].get("parameters", [])]
        result = {each["name"]: each.get("required", False) for each in listed if each["name"] != "id"}
        if "requestBody" in item[method]:
            body = self.resolved(item[method]["requestBody"]["content"]["application/json"]["schema"])
            result.update({name: name in body["required"] for name in body["properties"]})
        return result

    def test_the_version_is_that_of_the_server(self) -> None:
        project = (Path(__file__).parent.parent / "pyproject.toml").read_text("utf-8")
        self.assertIn(f'\nversion = "{self.document["info"]["version"]}"\n', project)

    def test_methods_take_what_operations_take(self) -> None:
        for method, operation in METHODS.items():
            with self.subTest(operation):
                taken = {name: parameter.default is parameter.empty or name in ("corpus", "name")
                         for name, parameter in inspect.signature(method).parameters.items()
                         if name != "self" and name not in CALLBACKS}
                described = self.parameters(operation)
                self.assertEqual(set(taken), set(described))
                for name, required in described.items():
                    self.assertTrue(taken[name] or not required, name)

    def test_types_are_those_of_the_answers(self) -> None:
        for kind, name in TYPES.items():
            with self.subTest(name):
                self.check(kind, self.document["components"]["schemas"][name], name)

    def check(self, hint: Any, described: Dict[str, Any], where: str) -> None:
        schema = self.resolved(described)
        kinds: Set[str] = {schema["type"]} if isinstance(schema.get("type"), str) else set(schema.get("type", ["string"]))
        if get_origin(hint) is Union:  # Optional
            self.assertIn("null", kinds, where)
            self.check(get_args(hint)[0], {**schema, "type": next(iter(kinds - {"null"}))}, where)
        elif get_origin(hint) is dict:
            self.assertEqual(kinds, {"object"}, where)
        elif get_origin(hint) is list:
            self.assertEqual(kinds, {"array"}, where)
            self.check(get_args(hint)[0], schema["items"], where + "[]")
        elif hint in SCALARS:
            self.assertEqual(kinds, {SCALARS[hint]}, where)
        else:
            hints = get_type_hints(hint)
            self.assertEqual(set(hints), set(schema["properties"]), where)
            self.assertEqual(hint.__required_keys__, set(schema["required"]), where)
            for key, each in hints.items():
                self.check(each, schema["properties"][key], f"{where}.{key}")


if __name__ == "__main__":
    unittest.main()
