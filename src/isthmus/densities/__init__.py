"""Where codes lie, if not where the prior says: densities that are fitted on codes and sampled from.

Whatever has scikit-learn's ``fit(codes)`` and ``sample(n)`` will do: its mixtures, its ``KernelDensity``, and the
``Flow`` of this package. Short names stand for what does well without being told more: "mixture", "kde" and "flow".
"""

from isthmus.densities.choosing import NAMES, check_density, fit_density, fit_per_label
from isthmus.densities.flow import Flow
from isthmus.densities.per_label import PerLabel
from isthmus.densities.sampling import draw

__all__ = ["NAMES", "Flow", "PerLabel", "check_density", "draw", "fit_density", "fit_per_label"]
