"""The client, against the server of the sample model at LMDEBUGGER_URL, which has a corpus."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import re
import unittest
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any, Dict, Iterable, List, Tuple

from lmdebugger import Client, ServerError, cells, edges, predictions, sub_updates
from lmdebugger.types import GeneratedToken

URL = os.environ.get("LMDEBUGGER_URL")
PROMPT = "Once upon a time there was a little"
CLEAN, CORRUPTED = PROMPT + " girl named", PROMPT + " boy named"


FOLDER = Path(__file__).parent.parent


class Stop(Exception):
    pass


def run(pieces: Iterable[str]) -> str:
    """Executes pieces of a program one after the other; returns the printed text."""
    names: Dict[str, Any] = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for number, piece in enumerate(pieces):
            exec(compile(piece, f"piece {number}", "exec"), names)
    return printed.getvalue()


@unittest.skipUnless(URL, "no LMDEBUGGER_URL (expected: the address of lmdebug serve with the sample model)")
class ClientTest(unittest.TestCase):
    def setUp(self) -> None:
        self.client = Client(URL or "", timeout=120)
        self.steps: List[Tuple[int, int]] = []

    def step(self, done: int, total: int) -> None:
        self.steps.append((done, total))

    def test_a_trace_is_of_the_clean_and_the_edited_run(self) -> None:
        trace = self.client.trace(PROMPT, edits=["L1D483=0"], tokens=[" boy"], top=2)
        self.assertEqual([token["text"] for token in trace["tokens"]][:2], ["Once", " upon"])
        self.assertEqual(len(predictions(trace)), 4 * 2 * 2)
        last = predictions(trace, edited=True)[-2]
        self.assertEqual((last["layer"], last["at"], last["rank"], last["token"]), (3, "after", 0, " girl"))
        self.assertNotEqual(last["probability"], predictions(trace)[-2]["probability"])
        self.assertEqual(sub_updates(trace)[2]["vector"], "L1D483")
        self.assertAlmostEqual(trace["coefficients"][0]["clean"][7] or 0, sub_updates(trace)[2]["coefficient"])
        self.assertEqual(self.client.coefficients(PROMPT, ["L1D483"])["neurons"], trace["coefficients"])
        self.assertEqual(self.client.tokenize("Once upon")["tokens"][1]["raw"], "Ġupon")
        with self.assertRaisesRegex(ValueError, "edited: True of a trace without edits"):
            predictions(self.client.trace(PROMPT), edited=True)
        self.assertEqual(predictions(self.client.trace(PROMPT, edits=["L0D1=0"], clean=False)), [])

    def test_a_sweep_has_effects_as_rows(self) -> None:
        sweep = self.client.sweep([PROMPT, PROMPT], sites="heads", operations=["off", "scale:2"],
                                  measures=["kl", "top:2", 'rank:" girl"'])
        effects = sweep.wait(self.step).effects()
        self.assertEqual(self.steps[-1], (96, 96))
        self.assertEqual(sweep.state()["state"], "done")
        self.assertEqual([row["prompt_id"] for row in effects], [0] * 48 + [1] * 48)
        strongest = max(effects, key=lambda row: row["kl"])
        self.assertEqual({name: strongest[name] for name in ("layer", "neuron", "at")},
                         {"layer": 0, "neuron": None, "at": "last"})
        self.assertIsInstance(strongest['rank:" girl"'], int)
        self.assertEqual(set(strongest["top:2"][0]), {"id", "token", "probability"})
        best = sweep.strongest(measure="kl", top=3)
        self.assertEqual(len(best), 3)
        self.assertEqual(best[0]["intervention"], strongest["intervention"])
        self.assertAlmostEqual(best[0]["kl"], strongest["kl"], places=6)
        self.assertTrue(all(row["intervention"].startswith("L0H") for row in sweep.strongest(part="L0H")))
        self.assertEqual(sweep.parquet()[:4], b"PAR1")

    def test_samples_have_means_and_standard_errors(self) -> None:
        corpus = self.client.corpora()[0]["name"]
        sweep = self.client.sweep(PROMPT[:9], sites="L2H5", operations=[f"resample:{corpus}"], samples=4).wait()
        rows = [row["kl"] for row in sweep.effects()]
        mean = sum(rows) / 4
        row, = sweep.strongest()
        self.assertAlmostEqual(row["kl"], mean, places=6)
        self.assertAlmostEqual(row["standard error of kl"], (sum((x - mean) ** 2 for x in rows) / 12) ** 0.5, places=6)
        trace = self.client.trace(PROMPT[:9], edits=[f"L2H5=resample:{corpus}@last"], samples=4)
        self.assertAlmostEqual(trace["samples"]["kl"]["mean"] or 0, mean, places=6)

    def test_a_sweep_ends_with_the_callback_that_raises(self) -> None:
        def stop(done: int, total: int) -> None:
            raise Stop

        sweep = self.client.sweep([PROMPT * 4] * 4)
        with self.assertRaises(Stop):
            sweep.wait(stop)
        with self.assertRaisesRegex(CancelledError, "sweep: cancelled after .* of 12288 effects"):
            sweep.wait()
        with self.assertRaisesRegex(ServerError, "The sweep is not done"):
            sweep.effects()

    def test_patching_has_cells_and_edges(self) -> None:
        patched = self.client.patch(CLEAN, CORRUPTED, sites=["pre", "heads:L2"], progress=self.step)
        self.assertEqual(self.steps[-1][0], self.steps[-1][1])
        rows = cells(patched)
        self.assertEqual(len(rows), 4 * 10 + 6 * 10)
        cell, = (row for row in rows if (row["part"], row["column"]) == ("L3.pre", "9"))
        self.assertEqual(cell["normalised"], patched["grids"][0]["normalised"][3][9])
        self.assertAlmostEqual(cell["effect"], cell["difference"] - patched["corrupted"]["difference"], places=4)
        named = self.client.patch(CLEAN, CORRUPTED, answers=[" Lily"], wrong=["#620"], positions={"child": 8},
                                  direction="noise", sites=["pre"])
        self.assertEqual({row["column"] for row in cells(named)}, {"child"})
        graph = self.client.edges(CLEAN, CORRUPTED, edges=["*>logits"], progress=self.step)
        self.assertEqual(len(edges(graph)), 1 + 4 * 7)
        self.assertEqual({edge["receiver"] for edge in edges(graph)}, {"logits"})

    def test_generation_sends_tokens_as_they_come(self) -> None:
        tokens: List[GeneratedToken] = []
        greedy, edited = self.client.generate(PROMPT, continuations=[{}, {"edits": ["L1D5=9"], "seed": 3}], tokens=4,
                                              received=tokens.append)
        self.assertEqual("".join(token["text"] for token in tokens if token["continuation"] == 0),
                         greedy["continuation"])
        self.assertEqual(edited["edits"], ["L1D5=9"])

        def stop(token: GeneratedToken) -> None:
            raise Stop

        with self.assertRaises(Stop):
            self.client.generate(PROMPT, tokens=100, received=stop)

    def test_corpora_and_value_vectors(self) -> None:
        name = self.client.corpora()[0]["name"]
        corpus = self.client.corpus(name)
        self.assertEqual((corpus["corpus"]["name"], len(corpus["layers"][0]["heads"])), (name, 6))
        examples = self.client.examples("L2D253", corpus=name, top=1)
        largest, = examples["largest"]
        self.assertEqual(largest["coefficient"], largest["coefficients"][largest["at"]])
        self.assertEqual(self.client.search_examples("nowhere", corpus=name), [])
        self.assertIn("L3D521", [f"L{row['layer']}D{row['neuron']}"
                                 for row in self.client.search("king, queen", top=4, progress=self.step)])
        self.assertEqual(len(self.client.value("L3D521", top=5)["top"]), 5)
        self.assertEqual(len(self.client.similar("L3D521", top=2)), 2)
        up, down = (self.client.search_tokens([" king"], top=1, suppress=suppress)[0] for suppress in (False, True))
        self.assertGreater(up["score"], 0)
        self.assertLess(down["score"], 0)

    def test_what_the_server_says_is_raised(self) -> None:
        with self.assertRaisesRegex(ServerError, r"^top: 101 \(expected: 1 to 100\)$") as raised:
            self.client.trace(PROMPT, top=101)
        self.assertEqual((raised.exception.status, raised.exception.title), (400, "Bad request"))
        with self.assertRaisesRegex(ServerError, "^pair: prompts of 1 and 2 tokens"):
            self.client.patch("a", "a b", progress=self.step)
        with self.assertRaisesRegex(ServerError, "^corpus: none of this name"):
            self.client.corpus("../x?y")
        self.assertEqual(self.steps, [])

    @unittest.skipUnless(importlib.util.find_spec("pandas"), "no pandas")
    def test_records_are_frames(self) -> None:
        frame = sub_updates(self.client.trace(PROMPT, top=2)).frame()
        self.assertEqual(list(frame.columns), ["position", "layer", "vector", "neuron", "coefficient", "score", "direct"])
        self.assertEqual(len(frame), 8)

    def test_the_notebook_runs(self) -> None:
        notebook = json.loads((FOLDER / "lmdebugger.ipynb").read_text("utf-8"))
        self.assertIn("3072 effects", run("".join(cell["source"]) for cell in notebook["cells"]
                                          if cell["cell_type"] == "code"))

    def test_the_lines_in_the_readme_run(self) -> None:
        readme = (FOLDER.parent.parent / "README.md").read_text("utf-8")
        lines, = re.findall("```python\n(.*?)```", readme, re.DOTALL)
        self.assertIn("L0D479", run([lines.replace("http://127.0.0.1:8001", URL)]))


if __name__ == "__main__":
    unittest.main()
