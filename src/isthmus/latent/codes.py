"""Rows to codes and back, for walks and edits."""

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from isthmus.data.frames import is_frame
from isthmus.generation import draw_codes
from isthmus.randomness import seeded

if TYPE_CHECKING:
    from isthmus.autoencoder import Autoencoder

Values = np.ndarray[Any, Any]

# Codes drawn to learn where they lie and how far they scatter.
N_DRAWN = 4096


def code_of(model: "Autoencoder", row: Any, name: str) -> Values:
    """Return the code (n_components,) of one row, given as such or as a batch of one.

    Raises
    ------
    ValueError
        If there are several rows.
    """
    check_is_fitted(model)
    if not is_frame(row) and np.ndim(row) == len(model.schema_.shape):
        row = np.asarray(row)[None]
    codes: Values = model.transform(row)
    if len(codes) != 1:
        raise ValueError(f"{name} must be one row, got {len(codes)}")
    return codes[0]


def decode(model: "Autoencoder", codes: Values, y: Any, **options: Any) -> Any:
    """Codes (n, n_components) to rows, all for one label or each for its own."""
    return model.inverse_transform(codes, y if y is None or np.ndim(y) else np.repeat(y, len(codes)), **options)


def spread(model: "Autoencoder") -> tuple[Values, Values]:
    """Return centre and standard deviation of the codes that ``sample`` draws, each (n_components,)."""
    check_is_fitted(model)
    with seeded(0, model.module_.device):
        codes = draw_codes(model.module_, model.density_, N_DRAWN, 1.0)
    return codes.mean(0), codes.std(0)
