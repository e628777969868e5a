"""What MLflow imports to load a logged model: the functions of its flavour ``pyfunc``."""

from collections.abc import Mapping
from typing import Any

from isthmus.persistence import load

# Methods by the name of what they return; the first one that an estimator has is the default.
METHODS = {
    "alarms": "predict",
    "codes": "transform",
    "scores": "score_samples",
    "p_values": "p_values",
    "imputation": "impute",
    "reconstruction": "reconstruct",
    "values": "inverse_transform",
}


def choose_output(model: Any, output: str) -> str:
    """Return the name of an output of an estimator; "auto" is the first that it has.

    Raises
    ------
    ValueError
        If the estimator has no such output.
    """
    known = [name for name, method in METHODS.items() if callable(getattr(model, method, None))]
    if output != "auto" and output not in known:
        raise ValueError(f"output must be one of {', '.join(known)} for {type(model).__name__}, got {output!r}")
    return known[0] if output == "auto" else output


class ServedModel:
    """An estimator with the method ``predict`` of MLflow."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def predict(self, rows: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Return what the parameter "output" names, for rows as in the signature of the model."""
        output = choose_output(self.model, (params or {}).get("output", "auto"))
        values = getattr(self.model, METHODS[output])(rows)
        return values == -1 if output == "alarms" else values

    def get_raw_model(self) -> Any:
        """Return the estimator."""
        return self.model


def _load_pyfunc(path: str, model_config: Mapping[str, Any] | None = None) -> ServedModel:
    """Load a model file; MLflow calls this. ``model_config`` may have the "device" of the model."""
    return ServedModel(load(path, device=(model_config or {}).get("device", "auto")))
