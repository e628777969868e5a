"""Progress of a training on the screen."""

from collections.abc import Iterator
from contextlib import contextmanager

from isthmus.training.loop import EpochFunction
from isthmus.training.state import TrainState


@contextmanager
def show_progress(verbose: int, max_epochs: int) -> Iterator[tuple[EpochFunction, ...]]:
    """Show the progress of a training on the screen.

    Parameters
    ----------
    verbose : int
        0 shows nothing, 1 a bar, 2 or more a line per epoch.
    max_epochs : int
        Length of the bar.

    Yields
    ------
    tuple of callables
        Callbacks of the training.

    Examples
    --------
    >>> from isthmus.training import show_progress
    >>> with show_progress(0, max_epochs=10) as callbacks:
    ...     callbacks
    ()
    """
    if not verbose:
        yield ()
    elif verbose > 1:
        yield (_print_row,)
    else:
        with _bar(max_epochs) as callback:
            yield (callback,)


@contextmanager
def _bar(max_epochs: int) -> Iterator[EpochFunction]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("epochs"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, TextColumn("{task.fields[figure]}")) as progress:
        task = progress.add_task("fit", total=max_epochs, figure="")

        def advance(state: TrainState) -> None:
            is_validated = "valid_negative_bound" in state.row
            name, words = ("valid_negative_bound", "validation loss") if is_validated else ("loss", "loss")
            progress.update(
                task,
                completed=state.epoch,
                description=f"fit {state.execution}",
                figure=f"{words} {state.row[name]:.4g} nats",
            )

        yield advance
        # Fill the bar also after early stopping.
        progress.update(task, total=progress.tasks[0].completed)


def _print_row(state: TrainState) -> None:
    if state.epoch == 1:
        print(f"fit {state.execution}")
    print("  ".join(f"{name} {value:.5g}" for name, value in state.row.items()))
