"""Answers as tables: lists of dicts, one for each row, which pandas takes as they are."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any, Dict, List

from lmdebugger.types import Patched, PatchedEdges, Trace, TracedPosition

if TYPE_CHECKING:
    import pandas


class Records(List[Dict[str, Any]]):
    """Rows of a table, each a dict by column; None where there is no value."""

    def frame(self) -> pandas.DataFrame:
        """Returns the rows as a DataFrame of pandas, which must be installed."""
        import pandas
        return pandas.DataFrame(self)


def predictions(trace: Trace, edited: bool = False) -> Records:
    """Returns the likeliest tokens of a trace, before and after each feed-forward layer, with ranks from 0.

    :param edited: whether those of the edited run
    """
    return Records({"position": position["position"], "layer": layer["layer"], "at": at, "rank": rank, **token}
                   for position in _positions(trace, edited) for layer in position["layers"]
                   for at, tokens in (("before", layer["before"]), ("after", layer["after"]))
                   for rank, token in enumerate(tokens))


def sub_updates(trace: Trace, edited: bool = False) -> Records:
    """Returns the value vectors that weigh most in each layer of a trace: coefficient, score, direct effect, total effect
    if it was asked for.

    :param edited: whether those of the edited run
    """
    return Records({"position": position["position"], "layer": layer["layer"],
                    "vector": f"L{layer['layer']}D{update['neuron']}", **update}
                   for position in _positions(trace, edited) for layer in position["layers"]
                   for update in layer["dominant"])


def _positions(trace: Trace, edited: bool) -> List[TracedPosition]:
    if edited and "edited" not in trace:
        raise ValueError("edited: True of a trace without edits (expected: False)")
    return trace["edited"]["positions"] if edited else trace.get("positions", [])


def cells(patched: Patched) -> Records:
    """Returns the numbers of a patching: a row for each part and column of each grid."""
    return Records({"sites": grid["sites"], "part": part, "column": column, "difference": grid["difference"][i][j],
                    "effect": grid["effect"][i][j], "normalised": grid["normalised"][i][j], "kl": grid["kl"][i][j]}
                   for grid in patched["grids"] for i, part in enumerate(grid["parts"])
                   for j, column in enumerate(grid["columns"]))


def edges(patched: PatchedEdges) -> Records:
    """Returns the numbers of a path patching: a row for each edge."""
    return Records(dict(edge) for edge in patched["edges"])


_TEXTS = {"intervention", "part", "operation", "at"}
_INTEGERS = {"prompt_id", "layer", "head", "neuron"}


def read_effects(table: bytes) -> Records:
    """Returns the rows of a sweep's effects.csv; of a measure `top:5`, lists of tokens with their probabilities."""
    rows = csv.DictReader(io.StringIO(table.decode("utf-8"), newline=""))
    return Records({column: _value(column, text) for column, text in row.items()} for row in rows)


def _value(column: str, text: str) -> Any:
    if column in _TEXTS:
        return text
    if text == "":
        return None
    if column in _INTEGERS or column.startswith("rank:"):
        return int(text)
    return json.loads(text) if column.startswith("top:") else float(text)
