"""Models of texts: bits per token beside n-gram models, worst and best texts, and new texts."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from isthmus.anomaly import AnomalyDetector
from isthmus.anomaly.rows import take_rows, to_numbers
from isthmus.baselines.ngrams import Bigrams
from isthmus.data import as_source
from isthmus.formatting import pluralize
from isthmus.reporting.blocks import Block, Section, Table, Text
from isthmus.reporting.sections.alarms import share_by_label, summarize_labels
from isthmus.reporting.sections.comparison import (
    MODEL,
    NAMES,
    Judgement,
    draw_methods,
    judge_errors,
    list_methods,
    summarize_methods,
)
from isthmus.reporting.subject import Subject, Values, once
from isthmus.reporting.texts import show

UNIT = np.log(2)
MEASURE = "Bits per token"
# Largest number of judged texts, and draws of the code for the log likelihood of a text. They bound the time.
MAX_TEXTS, N_DRAWS = 1000, 10
# Share of the known texts that choose the weights of an n-gram model.
HELD_OUT = 0.1
# Texts in a table, and characters of one.
N_SHOWN, N_CHARACTERS = 6, 240
BIGRAMS, UNIGRAMS = "bigrams", "frequencies of tokens"

Tokens = list[list[int]]


@once
def choose_texts(subject: Subject) -> Values:
    """Return the positions of the texts that are judged."""
    order = np.random.default_rng(subject.seed).permutation(len(subject.source))
    return np.sort(order[:MAX_TEXTS])


@once
def measure_bits(subject: Subject) -> dict[str, Values] | None:
    """Return bits of each judged text by method, and the number of tokens of each; None without a likelihood."""
    net = subject.net
    if net is None or not net.module_.bottleneck.stochastic:
        return None
    chosen = choose_texts(subject)
    judged = list_tokens(subject.numbers[chosen])
    nats = net.score_samples(take_rows(subject.X, chosen), n_draws=N_DRAWS, random_state=subject.seed)
    bits = {MODEL: -np.asarray(nats, dtype=float) / UNIT}
    for name, order in ((BIGRAMS, 2), (UNIGRAMS, 1)):
        bits[name] = _count_bits(subject, judged, order)
    return {**bits, "tokens": np.array([len(text) for text in judged], dtype=float)}


def compare_language_models(subject: Subject) -> Section | None:
    """Return bits per token of the model and of n-gram models."""
    measured = measure_bits(subject)
    if measured is None:
        return None
    judgement = judge_bits(measured, subject.seed)
    names = {name: NAMES.get(name, name) for name in judgement.means}
    perplexities = {name: float(2**mean.value) for name, mean in judgement.means.items()}
    n_tokens = int(measured["tokens"].sum())
    blocks: list[Block] = [
        draw_methods(judgement, names, MEASURE),
        list_methods(judgement, names, "Less is better; 95 % intervals over texts", "bits per token"),
        Text(_explain(subject, perplexities)),
    ]
    values = {
        "n_texts": len(measured["tokens"]),
        "n_tokens": n_tokens,
        "bits_per_token": judgement.means,
        "relative_differences": judgement.differences,
        "perplexity": perplexities,
    }
    lead = summarize_methods(judgement, names, "number of bits per token")
    return Section("comparison", "Compared with simple methods", lead, blocks, values, "quality")


def show_texts(subject: Subject) -> Section | None:
    """Return the texts with the most and the fewest bits per token, and their reconstructions."""
    measured = measure_bits(subject)
    if measured is None or subject.net is None:
        return None
    rates = measured[MODEL] / measured["tokens"]
    order = np.argsort(-rates, kind="stable")
    n = min(N_SHOWN, len(order))
    groups = {"most": order[:n], "fewest": order[-n:][::-1]}
    tables, values = [], {}
    for name, rows in groups.items():
        texts = take_rows(subject.X, choose_texts(subject)[rows])
        rebuilt = subject.net.reconstruct(texts)
        records = [
            {"text": shorten(text), "reconstruction": shorten(answer), "bits per token": float(rates[row])}
            for row, text, answer in zip(rows, texts, rebuilt, strict=True)
        ]
        tables.append(Table.of(records, f"Texts with the {name} bits per token"))
        values[name] = records
    low, middle, high = (float(rate) for rate in np.quantile(rates, (0, 0.5, 1)))
    lead = f"Texts take from {show(low)} to {show(high)} bits per token; half of them take less than {show(middle)}."
    quantiles = {"lowest": low, "median": middle, "highest": high}
    return Section("reconstructions", "Worst and best texts", lead, tables, quantiles | values)


def show_new_texts(subject: Subject) -> Section | None:
    """Return new texts beside judged ones."""
    if subject.net is None or measure_bits(subject) is None:
        return None
    chosen = np.random.default_rng(subject.seed).permutation(choose_texts(subject))[:N_SHOWN]
    real = [shorten(text) for text in take_rows(subject.X, chosen)]
    new = [shorten(text) for text in subject.net.sample(len(real), random_state=subject.seed)]
    records = [{"new": text, "judged": other} for text, other in zip(new, real, strict=True)]
    lead = "The model draws new texts from its prior; none of them is chosen by hand."
    return Section("samples", "New texts", lead, [Table.of(records, "New and judged texts")], {"texts": records})


def show_unusual_texts(subject: Subject) -> Section | None:
    """Return the texts with the lowest scores of a detector."""
    if not isinstance(subject.model, AnomalyDetector):
        return None
    scores, offset = subject.scores, float(subject.model.offset_)
    alarms, order = scores < offset, np.argsort(scores, kind="stable")[: 2 * N_SHOWN]
    records = [
        {"text": shorten(text), "score": float(scores[row]), "alarm": bool(alarms[row])}
        for row, text in zip(order, take_rows(subject.X, order), strict=True)
    ]
    n = int(alarms.sum())
    found = summarize_labels(subject)
    lead = found or f"{pluralize(n, 'alarm')} in {pluralize(len(scores), 'text')}; below are the most anomalous ones."
    values = {"n_texts": len(scores), "n_alarms": n, "threshold": offset, "texts": records}
    values |= {"share_by_label": share_by_label(subject)}
    table = Table.of(records, f"Texts with the lowest scores; the threshold is {show(offset)}")
    return Section("alarms", "The most anomalous texts", lead, [table], values, "quality" if found else "")


def judge_bits(measured: dict[str, Values], seed: int) -> Judgement:
    """Return bits per token of each method, with intervals over texts."""
    bits = {name: each for name, each in measured.items() if name != "tokens"}
    return judge_errors(bits, measured["tokens"], seed)


def list_tokens(rows: Values) -> Tokens:
    """Return the tokens of texts, each with its end if it fits into a row."""
    return [row[~np.isnan(row)].astype(int).tolist() for row in rows]


def shorten(text: Any) -> str:
    """Return a text of at most ``N_CHARACTERS`` characters, which is not empty."""
    whole = str(text) or "(empty)"
    return whole if len(whole) <= N_CHARACTERS else f"{whole[: N_CHARACTERS - 1]}…"


def _count_bits(subject: Subject, judged: Tokens, order: int) -> Values:
    """Return bits of texts by an n-gram model that was not fitted to them."""
    n_categories = subject.schema.n_categories
    if subject.train is not None:
        known = list_tokens(to_numbers(as_source(subject.train, subject.schema)))
        return _score(_fit(known, n_categories, order, subject.seed), judged)
    halves = np.arange(len(judged)) % 2
    bits = np.empty(len(judged))
    for half in (0, 1):
        known, scored = ([judged[i] for i in np.flatnonzero(halves == side)] for side in (1 - half, half))
        bits[halves == half] = _score(_fit(known, n_categories, order, subject.seed), scored)
    return bits


def _fit(texts: Tokens, n_categories: int, order: int, seed: int) -> Bigrams:
    positions = np.random.default_rng(seed).permutation(len(texts))
    n_held_out = max(1, round(HELD_OUT * len(texts)))
    held_out, fitted = ([texts[i] for i in part] for part in (positions[:n_held_out], positions[n_held_out:]))
    return Bigrams(n_categories, order).fit(fitted or held_out, held_out)


def _score(model: Bigrams, texts: Sequence[Sequence[int]]) -> Values:
    lengths = [len(text) for text in texts]
    bits = -model.log_prob(texts) / UNIT
    return np.add.reduceat(bits, np.cumsum([0, *lengths[:-1]]))


def _explain(subject: Subject, perplexities: dict[str, float]) -> str:
    shown = ", ".join(f"{NAMES.get(name, name)} {show(value)}" for name, value in perplexities.items())
    rows = (
        "the training texts" if subject.train is not None else "one half of the judged texts, to judge the other half"
    )
    return (
        f"Perplexity, the number of equally likely tokens with the same number of bits: {shown}. The n-gram models "
        f"were fitted to {rows}. The bits of this model are an upper bound, estimated with {N_DRAWS} draws of the code."
    )
