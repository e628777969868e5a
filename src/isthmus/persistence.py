"""Save and load fitted estimators: one safetensors file with a JSON header, no pickle anywhere."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

import isthmus
from isthmus import storage
from isthmus.autoencoder import Autoencoder
from isthmus.configuration import (
    class_name,
    construct,
    from_plain,
    known_classes,
    params_from_plain,
    params_to_plain,
    to_plain,
)
from isthmus.schema import Schema
from isthmus.statistics import Statistics
from isthmus.training import choose_device

FORMAT = 1
ESTIMATORS: dict[str, Any] = {"Autoencoder": Autoencoder}
# What holds functions or belongs to one machine; neither changes what a fitted model computes.
NOT_SAVED = ("callbacks", "device")


def save(estimator: Autoencoder, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator to one file, all or nothing.

    The file is safetensors: weights and buffers as tensors, all else as JSON in the header. ``callbacks`` and
    ``device`` are left out.

    Parameters
    ----------
    estimator : Autoencoder
        Fitted.
    path : str or path

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If a parameter has no plain form, such as a function as corruption.
    OSError
        If the file cannot be written; an older file of this name survives.

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
    kind = type(estimator).__name__
    if ESTIMATORS.get(kind) is not type(estimator):
        raise ValueError(f"save takes one of {sorted(ESTIMATORS)}, got {kind}")
    check_is_fitted(estimator)
    tensors, document = _describe(estimator)
    storage.write(
        path, tensors, {"format": FORMAT, "isthmus": isthmus.__version__, "torch": torch.__version__, **document}
    )


def load(path: str | os.PathLike[str], parts: Sequence[type] = (), device: str = "auto") -> Any:
    """Read a fitted estimator from a file that ``save`` wrote.

    Nothing in the file is executed, and no class is looked up but isthmus's own parts and those in ``parts``.

    Parameters
    ----------
    path : str or path
    parts : sequence of classes
        Parts of your own that the model was made of.
    device : str, default="auto"
        Where to compute.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, of another kind, of a newer format, or names a class that is not known.

    Examples
    --------
    See ``save``.
    """
    tensors, document = storage.read(path)
    try:
        return _rebuild(tensors, document, known_classes(parts), device)
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(f"{str(path)!r} is damaged: its header does not fit its tensors ({error})") from error


def _describe(estimator: Autoencoder) -> tuple[dict[str, Tensor], dict[str, Any]]:
    kind = type(estimator).__name__
    params = params_to_plain(kind, estimator._fitted_params, leave_out=("random_state", *NOT_SAVED))
    seed = estimator._fitted_params["random_state"]
    params["random_state"] = int(seed) if isinstance(seed, int | np.integer) else None
    names = vars(estimator).get("feature_names_in_")
    fitted = {
        "n_features_in_": estimator.n_features_in_,
        "feature_names_in_": None if names is None else list(names),
        "history_": estimator.history_,
        "likelihood_": to_plain(estimator.likelihood_),
    }
    tensors = storage.put_under("module", estimator.module_.state_dict())
    if estimator.density_ is not None:
        fitted["density_"], arrays = _describe_density(estimator.density_)
        tensors |= storage.put_under(
            "density", {name: torch.from_numpy(value.copy()) for name, value in arrays.items()}
        )
    document = {"estimator": {"class": kind, "params": params}, "schema": estimator.schema_.to_json(), "fitted": fitted}
    return tensors, document


def _describe_density(density: Any) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
    """Take a mixture apart: what fit found is whatever ends in an underscore."""
    found = {name: value for name, value in vars(density).items() if name.endswith("_") and not name.startswith("_")}
    arrays = {name: value for name, value in found.items() if isinstance(value, np.ndarray)}
    numbers = {
        name: to_plain(value) for name, value in found.items() if isinstance(value, bool | int | float | np.generic)
    }
    return {
        "class": class_name(type(density)),
        "params": params_to_plain("density", density.get_params(deep=False)),
        "numbers": numbers,
    }, arrays


def _rebuild(
    tensors: dict[str, Tensor], document: dict[str, Any], classes: dict[str, type], device: str
) -> Autoencoder:
    if document["format"] > FORMAT:
        raise ValueError(f"the file has format {document['format']}, newer than {FORMAT}: update isthmus")
    kind = document["estimator"]["class"]
    if kind not in ESTIMATORS:
        raise ValueError(f"the file holds a {kind!r}, expected one of {sorted(ESTIMATORS)}")
    estimator: Autoencoder = construct(ESTIMATORS[kind], params_from_plain(document["estimator"]["params"], classes))
    fitted = document["fitted"]
    estimator.schema_ = Schema.from_json(document["schema"])
    estimator.likelihood_ = from_plain(fitted["likelihood_"], classes)
    estimator._state, estimator._fitted_params = None, estimator.get_params(deep=False)
    estimator.n_features_in_ = fitted["n_features_in_"]
    if fitted["feature_names_in_"] is not None:
        estimator.feature_names_in_ = np.array(fitted["feature_names_in_"], dtype=object)
    estimator.history_ = fitted["history_"]
    estimator.module_ = estimator._build_model(
        estimator.schema_, Statistics.of_none(estimator.schema_.shape), estimator.likelihood_
    )
    estimator.module_.load_state_dict(storage.take_from("module", tensors))
    estimator.module_.to(choose_device(device)).eval()
    estimator._n_features_out = estimator.n_components
    estimator.density_ = _rebuild_density(fitted.get("density_"), storage.take_from("density", tensors), classes)
    return estimator


def _rebuild_density(document: dict[str, Any] | None, tensors: dict[str, Tensor], classes: dict[str, type]) -> Any:
    if document is None:
        return None
    density = from_plain({"class": document["class"], "params": document["params"]}, classes)
    vars(density).update(document["numbers"], **{name: tensor.numpy() for name, tensor in tensors.items()})
    return density
