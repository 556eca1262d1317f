"""The client: a method for each kind of work."""

from __future__ import annotations

import time
from concurrent.futures import CancelledError
from contextlib import closing, suppress
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Union, cast
from urllib.parse import quote

from lmdebugger.connection import Connection, Events
from lmdebugger.errors import ServerError
from lmdebugger.records import Records, read_effects
from lmdebugger.types import (Coefficients, Corpus, Examples, Generated, GeneratedToken, Generation, ListedCorpus, Model, Patched,
                              PatchedEdges, SweepState, Tokenized, Trace, Value)

Progress = Callable[[int, int], object]
"""A function that receives how many steps are done, and of how many. If it raises, the work is cancelled, and the
exception reaches the caller."""

_ASK_AGAIN = 0.2  # seconds, while the server builds something


class Client:
    """A client of a server. Any thread may use it; arguments that are None are the server's defaults.

    Requests that the server refuses raise :class:`ServerError`, whose text names the mistake; a server that is not there
    raises :class:`ConnectionError`.

    :param url: of the server
    :param token: of a server that asks for one
    :param timeout: seconds of silence after which a request fails; by default none, as requests wait in one line
    """

    def __init__(self, url: str = "http://127.0.0.1:8001", token: Optional[str] = None,
                 timeout: Optional[float] = None) -> None:
        self._connection = Connection(url, token, timeout)

    def model(self) -> Model:
        """Returns the model, the device that computes, and how much one request may ask for."""
        return cast(Model, self._connection.json("model"))

    def tokenize(self, text: str) -> Tokenized:
        """Returns a text as the model's tokens."""
        return cast(Tokenized, self._connection.post("tokenize", {"text": text}))

    def trace(self, prompt: str, *, edits: Optional[Sequence[str]] = None, mode: Optional[str] = None,
              positions: Union[Sequence[int], str, None] = None, top: Optional[int] = None,
              tokens: Optional[Sequence[str]] = None, total: Optional[bool] = None, target: Optional[str] = None,
              against: Optional[str] = None, attribution: Optional[bool] = None, neurons: Optional[int] = None,
              neurons_by: Optional[str] = None, attention: Optional[bool] = None, clean: Optional[bool] = None,
              samples: Optional[int] = None) -> Trace:
        """Returns how a prediction comes about, clean and, with `edits` such as ``L1D483=0``, edited beside it.

        :param positions: indices, negative ones from the end; or ``last`` (default) or ``all``
        :param top: how many tokens and sub-updates are listed
        :param tokens: followed through all layers
        :param neurons: how many of each feed-forward layer an attribution lists
        :param neurons_by: the number by whose size they are ranked: ``direct`` (default) or ``coefficient``
        :param samples: how many texts each edit ``=resample:NAME`` takes
        """
        return cast(Trace, self._connection.post("trace", _body(locals())))

    def coefficients(self, prompt: str, neurons: Sequence[str]) -> Coefficients:
        """Returns coefficients of neurons such as ``L1D483`` at every position of a prompt, without edits."""
        return cast(Coefficients, self._connection.post("coefficients", {"prompt": prompt, "neurons": neurons}))

    def sweep(self, prompts: Union[str, Sequence[str]], *, neurons: Optional[str] = None, sites: Optional[str] = None,
              operations: Optional[Sequence[str]] = None, at: Optional[str] = None,
              measures: Optional[Sequence[str]] = None, samples: Optional[int] = None,
              targets: Optional[Sequence[str]] = None, against: Optional[Sequence[str]] = None,
              edits: Optional[Sequence[str]] = None, mode: Optional[str] = None) -> Sweep:
        """Starts a sweep, which edits many neurons, or other parts, each by itself, and measures what that changes.

        :param neurons: ``all`` (default), ``L0-3``, ``L2D5,L3D7``, ``dominant:20``
        :param sites: other parts in place of neurons: ``heads``, ``pre,mid``, ``L1H3``
        :param operations: ``off`` (default), ``set:3``, ``scale:2``, ``from:"other prompt"``, ``mean:stories``
        :param measures: ``kl`` (default), ``entropy``, ``logit:" king"``, ``rank:" king"``, ``top:5``
        :param samples: how many texts each operation ``resample:NAME`` takes
        :param targets: the token of each prompt that measures call ``target``
        :param edits: that hold in the clean and in every edited run
        """
        body = _body(locals())
        body["prompts"] = [prompts] if isinstance(prompts, str) else prompts
        return Sweep(self._connection, cast(SweepState, self._connection.post("sweeps", body)))

    def patch(self, clean: str, corrupted: str, *, answers: Optional[Sequence[str]] = None,
              wrong: Optional[Sequence[str]] = None, sites: Optional[Sequence[str]] = None,
              direction: Optional[str] = None, at: Optional[str] = None,
              positions: Optional[Mapping[str, int]] = None, edits: Optional[Sequence[str]] = None,
              mode: Optional[str] = None, progress: Optional[Progress] = None) -> Patched:
        """Does activation patching of a pair of prompts: each part, by itself, becomes in one prompt's run what it is in
        the other's.

        :param answers: the right tokens, and `wrong` those that they are compared with; else the likeliest ones
        :param sites: such as ``pre``, ``attention``, ``ffn``, ``heads``, ``heads:L2-4``, ``neurons``
        :param direction: ``denoise`` (default) or ``noise``
        :param at: ``each`` position by itself (default) or ``all``; or in place of it `positions`, by name
        :param edits: in force in every run: that of either prompt, and each patched one, before the patch
        """
        body = _body(locals(), "progress")
        return cast(Patched, _end(self.events("patch", body), _steps(progress, "cells")))

    def edges(self, clean: str, corrupted: str, *, answers: Optional[Sequence[str]] = None,
              wrong: Optional[Sequence[str]] = None, edges: Optional[Sequence[str]] = None,
              direction: Optional[str] = None, measure: Optional[str] = None,
              progress: Optional[Progress] = None) -> PatchedEdges:
        """Does path patching of single edges of a pair of prompts, such as ``L0.ffn>L2H5.v`` or ``*>logits``.

        :param measure: such as ``kl``, in place of the logit difference
        """
        body = _body(locals(), "progress")
        return cast(PatchedEdges, _end(self.events("edges", body), _steps(progress, "edges")))

    def generate(self, prompt: str, *, continuations: Optional[Sequence[Mapping[str, Any]]] = None,
                 tokens: Optional[int] = None, temperature: Optional[float] = None, top_k: Optional[int] = None,
                 top_p: Optional[float] = None, mode: Optional[str] = None,
                 received: Optional[Callable[[GeneratedToken], object]] = None) -> List[Generation]:
        """Returns continuations of a prompt.

        :param continuations: each with `edits` and a `seed`, such as ``[{}, {"edits": ["L1D5=9"]}]``
        :param tokens: how many
        :param received: is called with each token as it comes; if it raises, the work is cancelled
        """
        body = _body(locals(), "received")
        return cast(Generated, _end(self.events("generate", body), received or _ignore))["generations"]

    def corpora(self) -> List[ListedCorpus]:
        """Returns the corpora that were built for the model."""
        return cast(List[ListedCorpus], self._connection.json("corpora")["corpora"])

    def corpus(self, name: str = "stories", progress: Optional[Progress] = None) -> Corpus:
        """Returns a corpus, and what heads and outputs do over it; ``stories`` is built when it is first asked for,
        and edits may refer to it from then on."""
        return cast(Corpus, self._built(f"corpora/{quote(name, safe='')}", progress))

    def examples(self, vector: str, *, corpus: Optional[str] = None, top: Optional[int] = None,
                 progress: Optional[Progress] = None) -> Examples:
        """Returns when a neuron such as ``L2D253`` is active, over a corpus."""
        return cast(Examples, self._built(f"values/{quote(vector, safe='')}/examples", progress, corpus=corpus, top=top))

    def value(self, vector: str, *, top: Optional[int] = None, reading: Optional[str] = None) -> Value:
        """Returns the tokens that a value vector such as ``L3D521`` promotes and suppresses most."""
        return cast(Value, self._connection.json(f"values/{quote(vector, safe='')}", top=top, reading=reading))

    def similar(self, vector: str, *, top: Optional[int] = None) -> Records:
        """Returns the value vectors that point most nearly where this does, with cosines as scores."""
        return Records(self._connection.json(f"values/{quote(vector, safe='')}/similar", top=top)["similar"])

    def search(self, words: str, *, top: Optional[int] = None, weigh: Optional[bool] = None,
               progress: Optional[Progress] = None) -> Records:
        """Returns value vectors by words, separated by commas, among the tokens that each promotes most."""
        return Records(self._built("search", progress, words=words, top=top, weigh=weigh)["results"])

    def search_tokens(self, token: Sequence[str], *, suppress: Optional[bool] = None,
                      top: Optional[int] = None) -> Records:
        """Returns the value vectors that promote some tokens most, or suppress them most."""
        return Records(self._connection.json("search/tokens", token=token, suppress=suppress, top=top)["results"])

    def search_examples(self, words: str, *, corpus: Optional[str] = None, top: Optional[int] = None,
                        progress: Optional[Progress] = None) -> Records:
        """Returns neurons by words in the texts of a corpus where their coefficients are largest."""
        return Records(self._built("search/examples", progress, words=words, corpus=corpus, top=top)["results"])

    def events(self, path: str, body: Mapping[str, Any]) -> Events:
        """Yields the events of ``generate``, ``patch`` or ``edges``, by name and data; the last is ``end``. Closing the
        iterator cancels the work."""
        return self._connection.events("POST", path, body)

    def _built(self, path: str, progress: Optional[Progress], **query: Any) -> Any:
        """Returns an answer that the server may have to build before."""
        while True:
            answer = self._connection.json(path, **query)
            if answer.get("state") != "building":
                return answer
            if progress is not None:
                progress(answer["done"], answer["total"])
            time.sleep(_ASK_AGAIN)


class Sweep:
    """A sweep that a server computes and keeps, with the last others, until it stops."""

    def __init__(self, connection: Connection, state: SweepState) -> None:
        self._connection = connection
        self._path = f"sweeps/{state['id']}"

    def state(self) -> SweepState:
        """Returns how far the sweep is."""
        return cast(SweepState, self._connection.json(self._path))

    def wait(self, progress: Optional[Progress] = None) -> Sweep:
        """Waits for the end; if waiting is interrupted, the sweep is cancelled.

        :raises ServerError: if the sweep failed
        :raises CancelledError: if it was cancelled elsewhere
        """
        step = _steps(progress, "effects")
        try:
            end = _end(self._connection.events("GET", self._path + "/events"), step)
            step(end)
        except BaseException:
            with suppress(OSError, ServerError):  # the server may be gone
                self.cancel()
            raise
        if end["state"] == "cancelled":
            raise CancelledError(f"sweep: cancelled after {end['done']} of {end['effects']} effects")
        if "problem" in end:
            raise ServerError(end["problem"]["status"], end["problem"]["title"], end["problem"]["detail"])
        return self

    def cancel(self) -> None:
        """Ends the sweep after the part that is being computed; the effects so far stay."""
        self._connection.delete(self._path)

    def effects(self) -> Records:
        """Returns all effects of a sweep that is done: a row for each, with the intervention and the measures."""
        return read_effects(self._connection.get(self._path + "/effects.csv"))

    def parquet(self) -> bytes:
        """Returns the same as a Parquet file."""
        return self._connection.get(self._path + "/effects.parquet")

    def strongest(self, *, measure: Optional[str] = None, top: Optional[int] = None, change: Optional[str] = None,
                  part: Optional[str] = None) -> Records:
        """Returns the effects that move a measure farthest from the unedited prompt's, the strongest first; of
        interventions with samples the means, with standard errors.

        :param measure: the first unless given
        :param change: ``any`` (default), ``raises`` or ``lowers``
        :param part: a part, or the beginning of its name
        """
        table = self._connection.json(self._path + "/strongest", measure=measure, top=top, change=change, part=part)
        return Records(_strongest(effect, table["measures"]) for effect in table["effects"])


def _strongest(effect: Mapping[str, Any], measures: Iterable[str]) -> Dict[str, Any]:
    errors = {f"standard error of {measure}": error for measure, error in zip(measures, effect.get("standard_errors", []))}
    return {"prompt": effect["prompt"], "intervention": "; ".join(effect["edits"]),
            **dict(zip(measures, effect["values"])), **errors, "says": effect["says"]}


def _body(arguments: Mapping[str, Any], *others: str) -> Dict[str, Any]:
    """Returns the arguments of a method but for the client itself and those of the client's own."""
    return {name: value for name, value in arguments.items() if name != "self" and name not in others}


def _ignore(data: Any) -> None:
    pass


def _steps(progress: Optional[Progress], total: str) -> Callable[[Any], None]:
    """Returns a function that receives the data of events and passes steps on, each once."""
    last = -1

    def step(data: Any) -> None:
        nonlocal last
        if progress is not None and data["done"] != last:
            last = data["done"]
            progress(last, data[total])

    return step


def _end(events: Events, each: Callable[[Any], object]) -> Any:
    """Returns the data of the event ``end``, and passes that of others on; closes the events in any case."""
    with closing(events):
        for name, data in events:
            if name == "end":
                return data
            each(data)
    raise AssertionError("events end with an end, or raise")
