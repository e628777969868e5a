"""The decoder of a fitted autoencoder as a separate object."""

from copy import deepcopy
from typing import Any

from sklearn.utils.validation import check_is_fitted

from isthmus.ambient import with_own_settings
from isthmus.autoencoder import Autoencoder
from isthmus.errors import require_type
from isthmus.model import Model
from isthmus.part import Configurable


@with_own_settings
class Decoder(Configurable):
    """The decoder of a fitted autoencoder, which can be saved or exported without the encoder.

    Parameters
    ----------
    estimator : Autoencoder
        A fitted autoencoder. If the decoder was loaded from a file, it has no encoder.

    Examples
    --------
    >>> import numpy as np, tempfile, pathlib
    >>> from isthmus import Decoder, load, save
    >>> from isthmus.zoo import vae
    >>> model = vae(2, max_epochs=1, random_state=0).fit(np.random.default_rng(0).normal(size=(100, 5)))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "decoder.safetensors"
    ...     save(Decoder(model), path)
    ...     decoder = load(path)
    >>> bool((decoder.sample(3) == model.sample(3)).all())
    True
    >>> decoder.estimator.transform(np.zeros((1, 5)))
    Traceback (most recent call last):
    ValueError: this is the decoder of an autoencoder, saved without its encoder
    """

    def __init__(self, estimator: Autoencoder) -> None:
        self.estimator = estimator

    def inverse_transform(self, Z: Any, y: Any = None, **options: Any) -> Any:
        """Decode codes to data.

        Parameters
        ----------
        Z : array of shape (n_samples, n_components)
            Codes.
        y : array of shape (n_samples,) or None, default=None
            Labels, for conditional models.
        **options : object
            Other parameters of ``Autoencoder.inverse_transform``.

        Returns
        -------
        array or data frame
            Decoded rows, in the container of the rows of ``fit``.
        """
        return self._fitted().inverse_transform(Z, y, **options)

    def sample(self, n: int = 1, **options: Any) -> Any:
        """Draw new rows.

        Parameters
        ----------
        n : int, default=1
            Number of rows.
        **options : object
            Other parameters of ``Autoencoder.sample``.

        Returns
        -------
        array or data frame
            New rows, in the container of the rows of ``fit``.
        """
        return self._fitted().sample(n, **options)

    def copy_without_encoder(self) -> Model:
        """Copy the fitted module without the encoder.

        Returns
        -------
        Model
            A copy of the module, without gradients.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If the decoder shares weights with the encoder.
        """
        model = deepcopy(self._fitted().module_).requires_grad_(False).eval()
        model.backbone.drop_encoder()
        return model

    def _fitted(self) -> Autoencoder:
        require_type("estimator", self.estimator, Autoencoder, "an Autoencoder")
        check_is_fitted(self.estimator)
        return self.estimator
