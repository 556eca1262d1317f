"""The answers of the server: dicts, whose keys are those of its description, ``GET /api/v1/openapi.yaml``.

A number is None where it is not finite. A class whose name ends in Keys has those keys that may be absent.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, TypedDict

Number = Optional[float]


class Model(TypedDict):
    """The model, the device that computes, and how much one request may ask for."""

    version: str
    model: str
    fingerprint: str
    device: str
    hardware: str
    precision: str
    layers: int
    neurons: int
    width: int
    heads: int
    positions: int
    vocabulary: int
    limits: Dict[str, int]


class Token(TypedDict):
    id: int
    text: str


class NamedToken(TypedDict):
    id: int
    token: str


class Tokenized(TypedDict):
    tokens: List[RawToken]
    added: List[int]


class RawToken(TypedDict):
    id: int
    text: str
    raw: str


class TraceKeys(TypedDict, total=False):
    positions: List[TracedPosition]
    edited: EditedRun
    coefficients: List[CoefficientsOfNeuron]
    samples: Samples


class Trace(TraceKeys):
    """How a prediction comes about, clean and, with edits, edited beside it."""

    model: str
    device: str
    precision: str
    mode: str
    prompt: str
    tokens: List[Token]
    added: List[int]


class EditedRun(TypedDict):
    positions: List[TracedPosition]


class Coefficients(TypedDict):
    neurons: List[CoefficientsOfNeuron]


class CoefficientsOfNeuron(TypedDict):
    layer: int
    neuron: int
    clean: List[Number]


class Mean(TypedDict):
    mean: Number
    standard_error: Number


class Samples(TypedDict):
    """The prediction under edits with several texts of a corpus."""

    count: int
    kl: Mean
    tokens: List[SampledToken]


class SampledToken(TypedDict):
    id: int
    token: str
    clean: Number
    edited: Mean


class TracedPositionKeys(TypedDict, total=False):
    against: NamedToken
    attribution: Attribution
    attention: List[AttentionOfHead]


class TracedPosition(TracedPositionKeys):
    position: int
    target: NamedToken
    layers: List[TracedLayer]


class TracedLayer(TypedDict):
    layer: int
    before: List[Prediction]
    after: List[Prediction]
    dominant: List[SubUpdate]
    chosen: List[Chosen]


class Prediction(TypedDict):
    id: int
    token: str
    probability: Number


class SubUpdateKeys(TypedDict, total=False):
    total: Number


class SubUpdate(SubUpdateKeys):
    """A value vector that weighs much in its layer."""

    neuron: int
    coefficient: Number
    score: Number
    direct: Number


class Chosen(TypedDict):
    id: int
    token: str
    before: Standing
    after: Standing


class Standing(TypedDict):
    probability: Number
    rank: int


class AttributionKeys(TypedDict, total=False):
    against: str


class Attribution(AttributionKeys):
    """Effects of all parts of the network on the target's logit; parts as the description has them."""

    token: str
    logit: Number
    sum: Number
    remainder: Number
    parts: List[Dict[str, Any]]


class AttentionOfHeadKeys(TypedDict, total=False):
    total: Number


class AttentionOfHead(AttentionOfHeadKeys):
    layer: int
    head: int
    sources: List[Dict[str, Any]]
    promotes: List[Dict[str, Any]]
    direct: Number


class GeneratedToken(TypedDict):
    continuation: int
    id: int
    text: str
    log_probability: Number


class Generated(TypedDict):
    generations: List[Generation]


class Generation(TypedDict):
    edits: List[str]
    continuation: str
    end: str


class SweepStateKeys(TypedDict, total=False):
    targets: List[Optional[str]]
    against: List[Optional[str]]
    problem: Dict[str, Any]


class SweepState(SweepStateKeys):
    """How far a sweep is: `done` of `effects` are computed."""

    id: str
    state: str
    done: int
    effects: int
    chunks: int
    gflop: float
    measures: List[str]
    prompts: List[str]
    request: Dict[str, Any]


class PatchedPrompt(TypedDict):
    prompt: str
    tokens: List[NamedToken]
    difference: float


class Patched(TypedDict):
    """The grids of an activation patching."""

    model: str
    device: str
    precision: str
    direction: str
    edits: List[str]
    clean: PatchedPrompt
    corrupted: PatchedPrompt
    answers: List[NamedToken]
    wrong: List[NamedToken]
    right: bool
    divisor: Number
    grids: List[PatchGrid]


class PatchGrid(TypedDict):
    """Numbers by part, then by column."""

    sites: str
    parts: List[str]
    columns: List[str]
    difference: List[List[Number]]
    effect: List[List[Number]]
    normalised: List[List[Number]]
    kl: List[List[Number]]


class PatchedEdges(TypedDict):
    """The effects of a path patching."""

    model: str
    device: str
    precision: str
    direction: str
    measure: Optional[str]
    clean: PatchedPrompt
    corrupted: PatchedPrompt
    answers: List[NamedToken]
    wrong: List[NamedToken]
    right: bool
    divisor: Number
    edges: List[PatchedEdge]


class PatchedEdge(TypedDict):
    sender: str
    receiver: str
    difference: Number
    effect: Number
    normalised: Number
    kl: Number


class ListedCorpus(TypedDict):
    name: str
    documents: int
    tokens: int
    window: int
    hash: str


class Corpus(TypedDict):
    """A corpus, and the norms of what heads and outputs add to the residual stream over it."""

    corpus: ListedCorpus
    edges: List[float]
    layers: List[CorpusLayer]


class CorpusLayer(TypedDict):
    attention: Unit
    ffn: Unit
    heads: List[Unit]


class Unit(TypedDict):
    count: int
    mean: float
    variance: float
    min: float
    max: float
    positive: float
    histogram: List[int]


class Examples(TypedDict):
    """Statistics and examples of a neuron's coefficient over a corpus."""

    layer: int
    neuron: int
    corpus: ListedCorpus
    summary: Unit
    edges: List[float]
    tokens: List[MeanOfToken]
    largest: List[Example]
    smallest: List[Example]
    bands: List[List[Example]]


class MeanOfToken(TypedDict):
    id: int
    token: str
    mean: float
    count: int


class Example(TypedDict):
    document: int
    position: int
    coefficient: float
    at: int
    tokens: List[str]
    coefficients: List[float]


class ValueHead(TypedDict):
    layer: int
    neuron: int
    name: Optional[str]


class Value(ValueHead):
    """The tokens that a value vector promotes and suppresses most."""

    reading: str
    norm: float
    top: List[ValueToken]
    bottom: List[ValueToken]


class ValueToken(TypedDict):
    id: int
    token: str
    raw: str
    logit: Number
