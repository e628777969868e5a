"""Conversion of rows to codes and back."""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from isthmus.ambient import own_settings
from isthmus.autoencoder import Autoencoder
from isthmus.data.images.layout import convert_shape
from isthmus.data.tables.frames import is_frame
from isthmus.errors import require_type
from isthmus.generation import draw_codes
from isthmus.randomness import seeded
from isthmus.schema import Schema

Values = np.ndarray[Any, Any]

# Number of drawn codes from which mean and standard deviation are estimated, to about 2 % of a standard deviation.
N_DRAWN = 4096


def check_model(model: Any) -> None:
    """Raise an error unless a model is a fitted autoencoder."""
    require_type("model", model, Autoencoder, "a fitted Autoencoder")
    check_is_fitted(model)


def encode_row(model: Autoencoder, row: Any, name: str) -> Values:
    """Return the code (n_components,) of one row, which may be a batch of one.

    Raises
    ------
    ValueError
        If there is more than one row.
    """
    check_model(model)
    codes: Values = model.transform([row] if is_single_row(row, model.schema_) else row)
    if len(codes) != 1:
        raise ValueError(f"{name} must be one row, got {len(codes)}")
    return codes[0]


def is_single_row(row: Any, schema: Schema) -> bool:
    """Whether a value is a single row and not a batch: a text, or an array with the number of axes of a row."""
    if schema.vocabulary or is_frame(row):
        return isinstance(row, str)
    shape = convert_shape(schema.shape, schema.layout) if schema.layout else schema.shape
    return np.ndim(row) == len(shape)


def decode(model: Autoencoder, codes: Values, y: Any, **options: Any) -> Any:
    """Decode codes (n, n_components) to rows, with one label for all or one for each."""
    return model.inverse_transform(codes, y if y is None or np.ndim(y) else np.repeat(y, len(codes)), **options)


@own_settings()
def code_moments(model: Autoencoder) -> tuple[Values, Values]:
    """Return mean and standard deviation of the codes that ``sample`` draws, each (n_components,)."""
    check_model(model)
    with seeded(0, model.module_.device):
        codes = draw_codes(model.module_, N_DRAWN, 1.0)
    return codes.mean(0), codes.std(0)
