"""Parameters of estimators and parts, as in scikit-learn."""

from typing import Any, Self

from sklearn.base import BaseEstimator

from isthmus.errors import InputTypeError, describe_value


class Configurable(BaseEstimator):
    """An object with scikit-learn's parameters.

    A nested parameter, such as ``bottleneck__beta``, of a value without parameters, such as ``"gaussian"``, raises an
    error that says so.
    """

    def set_params(self, **params: Any) -> Self:
        """Set parameters, also nested ones such as ``bottleneck__beta``.

        Raises
        ------
        ValueError
            If there is no such parameter, or a nested parameter belongs to a value without parameters.
        """
        for name in params:
            owner, _, nested = name.partition("__")
            value = params.get(owner, getattr(self, owner, None))
            if nested and owner in self._get_param_names() and not hasattr(value, "set_params"):
                message = f"{name} cannot be set: {owner}={describe_value(value)} has no parameters; set {owner} to an"
                raise InputTypeError(f"{message} instance with the parameter {nested.partition('__')[0]!r} first")
        return super().set_params(**params)
