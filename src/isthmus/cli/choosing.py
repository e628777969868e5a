"""``isthmus fit --model auto``: the choice of a variant from the rows to fit and the use."""

from dataclasses import replace
from typing import Any

from isthmus.cli.options import AUTO, ChoiceOptions
from isthmus.cli.progress import say
from isthmus.cli.runs import Run
from isthmus.data import Source
from isthmus.part import did_you_mean
from isthmus.suggesting import suggest
from isthmus.suggesting.rules import RULES
from isthmus.training import Group


def check_choice(run: Run, choice: ChoiceOptions) -> None:
    """Raise ``ValueError`` for options of the choice that are invalid, or not used because a variant is named."""
    if run.model != AUTO and (choice.use is not None or choice.budget is not None):
        raise ValueError(f"--use and --budget choose a variant: they need --model {AUTO}, got --model {run.model}")
    if choice.use == "detect":
        raise ValueError("--use detect: use the command isthmus detect, which chooses a model itself")
    if choice.use is not None and choice.use not in RULES:
        known = ", ".join(use for use in RULES if use != "detect")
        raise ValueError(f"--use must be one of {known}, got {choice.use!r}{did_you_mean(choice.use, RULES)}")
    labelled = run.condition is not None and "conditional" not in run.set
    if run.model == AUTO and labelled and choice.use not in (None, "generate"):
        raise ValueError(f"--condition is for conditional models, but --use {choice.use} suggests none: leave it out")
    if choice.budget is not None and not choice.budget > 0:
        raise ValueError(f"--budget must be a number of seconds > 0, got {choice.budget:g}")


def choose_variant(rows: Source, y: Any, run: Run, choice: ChoiceOptions) -> Run:
    """Return a run with the variant that suits the rows, and print the reasons; parameters of the run are kept.

    Raises
    ------
    ValueError
        If no variant suits the rows.
    """
    use = choice.use or ("reduce" if y is None else "generate")
    if choice.budget is not None:
        if Group.current().size > 1:
            raise ValueError("--budget compares variants in one process: choose without torchrun, and name the variant")
        say(f"comparing variants within about {choice.budget:g} seconds")
    suggestion = suggest(rows, y, use, budget=choice.budget, random_state=run.seed)
    best = suggestion.choices[0]
    if not best.variant:
        kind = suggestion.traits.kind
        raise ValueError(f"the rows are {kind}, and --use {use} suggests {best.estimator!r} for them; fit it in Python")
    if suggestion.leaderboard is not None:
        print(suggestion.leaderboard)
    for reason in suggestion.reasons:
        print(reason)
    return replace(run, model=best.variant, set={**best.options, **run.set})
