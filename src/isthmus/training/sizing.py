"""Default batch size, learning rate, number of epochs and patience, by the rows and the net."""

import math
from typing import Any

from isthmus.bottlenecks import Wrapper
from isthmus.corruptions import predicts_hidden_cells
from isthmus.part import is_count

# Steps of the optimizer in a fit with max_epochs="auto". Chosen on MNIST, see benchmarks/mnist.py.
N_STEPS = 3_500
# Bounds of learning_rate="auto" for fully connected nets. The smaller one is for nets of width 500, and was chosen on
# MNIST. Larger ones than the upper bound did not improve linear maps.
MIN_RATE, MAX_RATE = 2e-3, 2e-2
# Fewest steps of a fully connected net whose codes are deterministic or drawn; with corrupted inputs or regularizers,
# always N_STEPS: noise slows down learning and keeps a net from memorizing. Chosen on tables of 500 to 30,000 rows.
MIN_STEPS, MIN_STEPS_DRAWN = 1_000, 1_750
# A fully connected net that predicts hidden cells: how many times larger its batches are than those of other nets, its
# steps for each column, and their bounds. Chosen on adult, titanic, german credit and pima, and on three tables of
# ADBench with 24 to 36 columns; see docs/performance.md.
HIDDEN_BATCH_FACTOR, STEPS_PER_COLUMN, MIN_HIDDEN_STEPS, MAX_HIDDEN_STEPS = 4, 30, 640, 1_280
# Most epochs of a fully connected net that can memorize the rows, as it has more than this many weights for each value.
MEMORIZING_EPOCHS, WEIGHTS_PER_VALUE = 25, 0.5
# Smallest patience, in epochs, and share of the epochs: with few rows, epochs are short and validation is noisy.
MIN_PATIENCE, PATIENCE_SHARE = 10, 0.25
# Bounds of max_epochs="auto": the maximum limits the steps of small data sets, the minimum those of very large ones.
MAX_EPOCHS, MIN_EPOCHS = 200, 3


def choose_batch_size(batch_size: int | str, n_rows: int, model: Any = None) -> int:
    """Resolve "auto" to a power of two: 16 for few rows, 256 from about 10,000 and up to 4,096 from 10 million rows.

    A fully connected net that predicts hidden cells gets ``HIDDEN_BATCH_FACTOR`` times as many, and at most 4,096.

    Parameters
    ----------
    batch_size : int or "auto"
        Value of the parameter.
    n_rows : int
        Number of training rows.
    model : Model or None, default=None
        The model to train; None is any model that does not predict hidden cells.

    Returns
    -------
    int
        Rows of a step.

    Raises
    ------
    ValueError
        If it is neither "auto" nor a positive integer.

    Examples
    --------
    >>> from isthmus.training import choose_batch_size
    >>> [choose_batch_size("auto", n) for n in (100, 10_000, 10_000_000)]
    [16, 256, 4096]
    """
    if batch_size == "auto":
        size = max(min(256, max(16, n_rows // 40)), min(4096, n_rows // 2_500))
        factor = HIDDEN_BATCH_FACTOR if _predicts_hidden_cells(model) else 1
        return int(min(4096, factor * 2 ** round(math.log2(size))))
    if not is_count(batch_size):
        raise ValueError(f'batch_size must be "auto" or a positive integer, got {batch_size!r}')
    return int(batch_size)


def choose_learning_rate(learning_rate: float | str, model: Any) -> Any:
    """Resolve "auto" to 1 / width for fully connected nets, between 2e-3 and 2e-2, else to a constant of the backbone.

    With Adam, a step changes each weight by about the learning rate, and an output of a layer by up to the sum over
    its inputs. So rates in inverse proportion to the width change outputs equally (Yang and Hu, Feature learning in
    infinite-width neural networks, ICML 2021, arXiv:2011.14522).

    Parameters
    ----------
    learning_rate : float or "auto"
        Value of the parameter.
    model : Model
        The model to train.

    Returns
    -------
    float
        The largest learning rate of the schedule.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus import Autoencoder
    >>> from isthmus.training import choose_learning_rate
    >>> model = Autoencoder(2, random_state=0).prepare(np.eye(40)).state.model
    >>> choose_learning_rate("auto", model), choose_learning_rate(0.01, model)
    (0.0078125, 0.01)
    """
    if learning_rate != "auto":
        return learning_rate
    width = model.backbone.layer_width
    return min(MAX_RATE, max(MIN_RATE, 1 / width)) if width else model.backbone.auto_learning_rate


def choose_n_steps(model: Any, n_rows: int, batch_size: int) -> int:
    """Return the number of steps of a fit: ``N_STEPS``, and fewer for larger learning rates without much noise.

    Steps are in inverse proportion to the learning rate, because Adam moves a weight by about the rate in each step.
    Those of a fully connected net that predicts hidden cells depend on the number of columns.

    Parameters
    ----------
    model : Model
        The model to train.
    n_rows : int
        Number of training rows.
    batch_size : int
        Rows of a step.

    Returns
    -------
    int
        Number of steps.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus import Autoencoder
    >>> from isthmus.training import choose_n_steps
    >>> model = Autoencoder(2, random_state=0).prepare(np.eye(40)).state.model
    >>> choose_n_steps(model, n_rows=40, batch_size=16)
    1000
    """
    if _predicts_hidden_cells(model):
        return min(MAX_HIDDEN_STEPS, max(MIN_HIDDEN_STEPS, STEPS_PER_COLUMN * math.prod(model.schema.shape)))
    n_steps = N_STEPS * MIN_RATE / choose_learning_rate("auto", model)
    n_weights = sum(weight.numel() for weight in model.parameters()) / model.n_nets
    can_memorize = n_weights > WEIGHTS_PER_VALUE * n_rows * math.prod(model.schema.shape)
    if model.backbone.layer_width and can_memorize:
        n_steps = min(n_steps, MEMORIZING_EPOCHS * math.ceil(n_rows / batch_size))
    return max(_fewest_steps(model), round(n_steps))


def _predicts_hidden_cells(model: Any) -> bool:
    return model is not None and predicts_hidden_cells(model.corruption) and bool(model.backbone.layer_width)


def _fewest_steps(model: Any) -> int:
    is_cut = isinstance(model.bottleneck, Wrapper)  # ``Nested`` cuts codes at random, which is noise
    if model.corruption is not None or model.regularizers or is_cut or model.bottleneck.log_n_values is not None:
        return N_STEPS
    return MIN_STEPS_DRAWN if model.bottleneck.stochastic else MIN_STEPS


def choose_max_epochs(max_epochs: int | str, n_rows: int, batch_size: int, n_steps: int = N_STEPS) -> int:
    """Resolve "auto" to the number of epochs that has about ``n_steps`` steps, between 3 and 200.

    Parameters
    ----------
    max_epochs : int or "auto"
        Value of the parameter.
    n_rows : int
        Number of training rows.
    batch_size : int
        Rows of a step.
    n_steps : int, default=3500
        Number of steps that "auto" aims at.

    Returns
    -------
    int
        Largest number of epochs.

    Raises
    ------
    ValueError
        If it is neither "auto" nor a positive integer.

    Examples
    --------
    >>> from isthmus.training import choose_max_epochs
    >>> choose_max_epochs("auto", n_rows=6_400, batch_size=64)
    35
    """
    if max_epochs == "auto":
        steps_per_epoch = math.ceil(n_rows / batch_size)
        return min(MAX_EPOCHS, max(MIN_EPOCHS, round(n_steps / steps_per_epoch)))
    if not is_count(max_epochs):
        raise ValueError(f'max_epochs must be "auto" or a positive integer, got {max_epochs!r}')
    return int(max_epochs)


def choose_patience(patience: int | str | None, max_epochs: int) -> int | None:
    """Resolve "auto" to a quarter of the epochs, at least 10.

    Parameters
    ----------
    patience : int, "auto" or None
        Value of the parameter.
    max_epochs : int
        Largest number of epochs.

    Returns
    -------
    int or None
        Number of epochs; None never stops early.

    Examples
    --------
    >>> from isthmus.training import choose_patience
    >>> choose_patience("auto", 100), choose_patience("auto", 20), choose_patience(None, 20)
    (25, 10, None)
    """
    return max(MIN_PATIENCE, round(PATIENCE_SHARE * max_epochs)) if isinstance(patience, str) else patience
