"""``isthmus fit --model auto``: the choice of a variant from the rows to fit and the use."""

from dataclasses import replace
from typing import Any

from isthmus.cli.options import AUTO, ChoiceOptions
from isthmus.cli.progress import say
from isthmus.cli.runs import Run
from isthmus.data import Source
from isthmus.suggesting import suggest
from isthmus.training import Group


def check_choice(run: Run, choice: ChoiceOptions) -> None:
    """Raise ``ValueError`` for options of the choice if a variant is named."""
    if run.model != AUTO and (choice.use is not None or choice.budget is not None):
        raise ValueError(f"--use and --budget choose a variant: they need --model {AUTO}, got --model {run.model}")


def choose_variant(rows: Source, y: Any, run: Run, choice: ChoiceOptions) -> Run:
    """Return a run with the variant that suits the rows, and print the reasons; parameters of the run are kept.

    Raises
    ------
    ValueError
        If no variant suits the rows.
    """
    use = choice.use or ("reduce" if y is None else "generate")
    if use == "detect":
        raise ValueError("isthmus detect finds anomalies, and chooses its model itself")
    if choice.budget is not None:
        if Group.current().size > 1:
            raise ValueError("--budget compares variants in one process: choose without torchrun, and name the variant")
        say(f"comparing variants within about {choice.budget:g} seconds")
    suggestion = suggest(rows, y, use, budget=choice.budget, random_state=run.seed)
    best = suggestion.choices[0]
    if not best.variant:
        raise ValueError(f"X has {suggestion.traits}, which take {best.estimator!r}; isthmus fit --time NAME fits it")
    if suggestion.leaderboard is not None:
        print(suggestion.leaderboard)
    for reason in suggestion.reasons:
        print(reason)
    return replace(run, model=best.variant, set={**best.options, **run.set})
