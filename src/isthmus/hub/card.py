"""Model cards: the README of a repository, a metadata block in YAML and a text in Markdown."""

from collections.abc import Sequence
from typing import Any

import torch

import isthmus
from isthmus.decoder import Decoder
from isthmus.formatting import list_names, pluralize

LIBRARY = "isthmus"
# Line that begins and ends the metadata block of a card.
FENCE = "---\n"
# Lines around the part of a card that is written anew with each model; the rest belongs to its author.
BEGIN, END = "<!-- Written by isthmus: replaced with the next model. -->", "<!-- End of what isthmus has written. -->"


def complete_card(text: str, license: str | None, tags: Sequence[str]) -> str:
    """Return a card with the metadata by which the Hub finds models; entries that the card has already are kept."""
    from huggingface_hub import ModelCard

    card = ModelCard(text if text.startswith(FENCE) else f"{FENCE}{{}}\n{FENCE}\n{text}")
    metadata: Any = card.data
    metadata.library_name = metadata.library_name or LIBRARY
    metadata.license = license or metadata.license
    metadata.tags = [*dict.fromkeys([*(metadata.tags or ()), LIBRARY, "autoencoder", *tags])]
    return str(card)


def renew_card(text: str, model: Any, name: str) -> str:
    """Return a card with new facts in place of those that isthmus has written; a card without them is unchanged."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    return before + write_facts(model, name) + after if begin and end else text


def write_card(model: Any, name: str) -> str:
    """Return a card of facts about a fitted estimator."""
    return f"# {name}\n\n{write_facts(model, name)}\n"


def write_facts(model: Any, name: str) -> str:
    """Return what a fitted estimator is, how to load it, and what it reads."""
    rows = [f"| {fact} | {value} |" for fact, value in _list_facts(model).items()]
    return f"""{BEGIN}
A fitted `{type(model).__name__}` of isthmus, a Python toolkit for autoencoders.

```python
from isthmus.hub import from_pretrained

model = from_pretrained("{name}")  # the path of this folder, or the name of its repository
```

Loading runs no code of the file. The file may contain values of training rows, such as categories or exemplars.

| fact | value |
| --- | --- |
{chr(10).join(rows)}

{END}"""


def _list_facts(model: Any) -> dict[str, str]:
    model = model.estimator if isinstance(model, Decoder) else model
    module, columns = getattr(model, "module_", None), getattr(model, "feature_names_in_", None)
    facts = {
        "estimator": f"`{' '.join(repr(model).split())}`",
        "input": pluralize(model.n_features_in_, "feature") if columns is None else _list_columns(columns),
        "weights": "" if module is None else f"{sum(parameter.numel() for parameter in module.parameters()):,}",
        "written by": f"isthmus {isthmus.__version__}, torch {torch.__version__}",
    }
    return {fact: value.replace("|", "\\|") for fact, value in facts.items() if value}


def _list_columns(names: Sequence[Any]) -> str:
    return f"{pluralize(len(names), 'column')}: {list_names([str(name) for name in names])}"
