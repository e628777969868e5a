"""Saving to files and loading from files."""

import os
from collections.abc import Sequence
from typing import Any, BinaryIO

import torch
from sklearn.utils.validation import check_is_fitted

import isthmus
from isthmus import storage
from isthmus.ambient import own_settings
from isthmus.anomaly import AnomalyDetector, BaggedAutoencoders, ExemplarDistance, SlidingWindows
from isthmus.autoencoder import Autoencoder
from isthmus.configuration import UnknownParameterError, known_classes
from isthmus.decoder import Decoder
from isthmus.errors import memory_errors, require_type
from isthmus.gap_filling import SeriesImputer
from isthmus.persistence import (
    autoencoders,
    bagged_autoencoders,
    decoders,
    detectors,
    exemplar_distances,
    series_imputers,
    sliding_windows,
)
from isthmus.persistence.allowance import limit_to_file
from isthmus.persistence.context import Content, Context

# The classes that are saved, and the modules with their functions ``describe`` and ``rebuild``.
SAVERS: dict[type, Any] = {
    AnomalyDetector: detectors,
    Autoencoder: autoencoders,
    BaggedAutoencoders: bagged_autoencoders,
    Decoder: decoders,
    ExemplarDistance: exemplar_distances,
    SeriesImputer: series_imputers,
    SlidingWindows: sliding_windows,
}
NAMES = {kind.__name__: kind for kind in SAVERS}
FOREIGN = "; use joblib.dump for estimators of other libraries, and load only files that you trust, as pickle runs code"


def save(estimator: Any, path: str | os.PathLike[str] | BinaryIO) -> None:
    """Write a fitted estimator to one file, which is written completely or not at all.

    The file has the format safetensors: weights and buffers are tensors, and other values are JSON in the header.
    ``callbacks`` and ``device`` are not saved.

    Parameters
    ----------
    estimator : fitted estimator
        One of ``SAVERS``, such as an ``Autoencoder`` or an ``AnomalyDetector``.
    path : str, path or binary file
        An existing file is replaced.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If a parameter cannot be converted to plain values, such as a function as corruption, or if a detector contains
        an estimator of another library.
    OSError
        If the file cannot be written. An existing file of this name is not changed.

    Examples
    --------
    >>> import numpy as np, tempfile, pathlib
    >>> from isthmus import Autoencoder, load, save
    >>> X = np.random.default_rng(0).normal(size=(100, 5))
    >>> model = Autoencoder(2, max_epochs=1, random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "model.safetensors"
    ...     save(model, path)
    ...     again = load(path)
    >>> bool((again.transform(X) == model.transform(X)).all())
    True
    """
    with own_settings():
        tensors, document = _describe(estimator)
    storage.write(
        path,
        tensors,
        {"format": storage.FORMAT, "isthmus": isthmus.__version__, "torch": torch.__version__, **document},
    )


def load(path: str | os.PathLike[str], parts: Sequence[type] = (), device: str = "auto") -> Any:
    """Read a fitted estimator from a file that ``save`` wrote.

    No code in the file is executed, and only objects of classes of isthmus and of ``parts`` are created.

    Parameters
    ----------
    path : str or path
        File that ``save`` wrote.
    parts : sequence of classes, default=()
        Your own part classes that the model uses.
    device : str, default="auto"
        Device of the model.

    Returns
    -------
    estimator
        The fitted estimator.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, has another or a newer format, contains an unknown class or weights that are not finite,
        or has a header that requires far more memory or time than its tensors need.
    MemoryError
        If there is not enough memory for the tensors.

    Examples
    --------
    See ``save``.
    """
    require_type("parts", parts, Sequence, "a sequence of classes")
    with own_settings():
        content = Content(*storage.read(path))
    try:
        with own_settings(), memory_errors(f"load {str(path)!r}"), limit_to_file(content.tensors):
            return _rebuild(content, known_classes(parts), device)
    except UnknownParameterError as error:
        written = f"it was written by isthmus {content.document.get('isthmus')}"
        written += (
            ", in another state of that version" if content.document.get("isthmus") == isthmus.__version__ else ""
        )
        advice = "fit the model again, or load the file with the isthmus that wrote it"
        raise ValueError(f"cannot load {str(path)!r}: {error}; {written}: {advice}") from error
    except ValueError as error:
        raise ValueError(f"cannot load {str(path)!r}: {error}") from error
    except (LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError) as error:
        raise ValueError(f"{str(path)!r} is damaged: its header does not fit its tensors ({error})") from error


def _describe(estimator: Any) -> Content:
    kind = type(estimator)
    if kind not in SAVERS:
        raise ValueError(f"save takes one of {sorted(NAMES)}, got {kind.__name__}{FOREIGN}")
    if not isinstance(estimator, Decoder):
        check_is_fitted(estimator)
    content: Content = SAVERS[kind].describe(estimator, _describe)
    return content


def _rebuild(content: Content, classes: dict[str, type], device: str) -> Any:
    def rebuild(content: Content) -> Any:
        kind = content.document["estimator"]["class"]
        if kind not in NAMES:
            raise ValueError(f"the file holds a {kind!r}, expected one of {sorted(NAMES)}")
        return SAVERS[NAMES[kind]].rebuild(content, Context(classes, device, rebuild))

    return rebuild(content)
