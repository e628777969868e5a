"""Points in time of which some are open ends."""

import torch
from torch import Tensor

from isthmus.likelihoods.histogram import Histogram
from isthmus.likelihoods.levels import digits


class OpenDate(Histogram):
    """Dates with open ends, such as 9999-12-31 for a contract that still runs: each row is at an end, or a real date.

    Ends are cells of a single value, and real dates lie in the intervals. What is expected of a row is its likeliest
    end where an end is likelier than not, and the mean of the real dates otherwise: a mean of both would be a date that
    no row has.

    Parameters
    ----------
    cells : tuple, default=()
        As those of ``Histogram``.

    Raises
    ------
    ValueError
        As ``Histogram`` does.

    References
    ----------
    Snodgrass, Developing time-oriented database applications in SQL, 2000: the end of time as a value.

    Examples
    --------
    >>> from isthmus.likelihoods import OpenDate
    >>> OpenDate((((2_900_000.0, 2_900_000.0), (0.0, 31.0), (31.0, 365.0)),))
    OpenDate(cells=(((2900000.0, 2900000.0), (0.0, 31.0), (31.0, 365.0)),))
    """

    def mean(self, theta: Tensor) -> Tensor:
        """Return the likeliest end, or the expected real date."""
        logits = digits(theta).squeeze(1)
        at_end = self.low == self.high
        share = self.levels.expectation(logits, at_end)
        middle = torch.where(at_end, 0.0, (self.low + self.high) / 2)
        real = self.levels.expectation(logits, middle) / (1 - share).clamp(min=torch.finfo(logits.dtype).tiny)
        likeliest = self.levels.most_likely(logits.masked_fill(~at_end, -torch.inf)) + self.levels.starts
        return torch.where(share > 0.5, self.low[likeliest], real.to(self.low))
