"""Rotations of factors."""

import torch
from torch import Tensor

# Iterations until the criterion rises by less than this share, and most iterations, as in R's varimax.
TOLERANCE, MAX_ITERATIONS = 1e-5, 1_000


def varimax(loadings: Tensor) -> Tensor:
    """Return the rotation of loadings whose squares then have the largest variance in each column.

    So each row has few large loadings. (Kaiser, The varimax criterion for analytic rotation in factor analysis,
    Psychometrika 23, 1958; maximized by singular value decompositions.)

    Parameters
    ----------
    loadings : Tensor of shape (n, k)
        Loadings of n variables on k factors.

    Returns
    -------
    Tensor of shape (k, k)
        The rotation.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import varimax
    >>> loadings = torch.tensor([[0.8, 0.6], [1.6, 1.2], [-0.6, 0.8]], dtype=torch.float64)
    >>> (loadings @ varimax(loadings)).abs().round(decimals=1).tolist()
    [[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]
    """
    rotation, before = torch.eye(loadings.shape[1]).to(loadings), 0.0
    for _ in range(MAX_ITERATIONS):
        rotated = loadings @ rotation
        left, sizes, right = torch.linalg.svd(loadings.T @ (rotated**3 - rotated * rotated.square().mean(0)))
        rotation = left @ right
        if float(sizes.sum()) < before * (1 + TOLERANCE):
            break
        before = float(sizes.sum())
    return rotation
