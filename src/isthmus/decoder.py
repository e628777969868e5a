"""The decoder alone, for where codes become rows and nothing is encoded."""

import os
import warnings
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from isthmus.ambient import with_own_settings
from isthmus.autoencoder import Autoencoder
from isthmus.model import Model

FORMATS = (".onnx", ".pt2")


@with_own_settings
class Decoder(BaseEstimator):
    """The decoder of a fitted autoencoder: ``save`` writes it without the encoder, ``export`` for other programs.

    Parameters
    ----------
    estimator : Autoencoder
        Fitted. That of a decoder from a file has no encoder.

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
        """Codes (n, n_components) to data; see ``Autoencoder``."""
        return self.estimator.inverse_transform(Z, y, **options)

    def sample(self, n: int = 1, **options: Any) -> Any:
        """Draw new rows; options are those of ``Autoencoder.sample``."""
        return self.estimator.sample(n, **options)

    def copy_without_encoder(self) -> Model:
        """Copy the fitted module without the encoder.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If the decoder has weights of the encoder's.
        """
        check_is_fitted(self.estimator)
        model = deepcopy(self.estimator.module_).requires_grad_(False).eval()
        model.backbone.drop_encoder()
        return model

    def export(self, path: str | os.PathLike[str]) -> None:
        """Write a program that other software runs: from codes to the expected values of rows.

        Its inputs are "codes" (n, n_components) and, of a conditional model, "labels" (n, width) as
        ``schema_.condition.encode`` makes them, both float32 or as the model computes; its output is "values" (n,
        *schema_.shape), not rounded. Levels of categories are their places in ``schema_``. n is free.

        Parameters
        ----------
        path : str or path
            Ending in ``.onnx`` for ONNX, which needs the extra ``export``, or in ``.pt2`` for ``torch.export.load``.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If the path ends in anything else, the decoder has weights of the encoder's, or it is autoregressive.
        ImportError
            If ONNX is not installed.
        """
        path = Path(path)
        if path.suffix not in FORMATS:
            raise ValueError(f"path must end in one of {list(FORMATS)}, got {str(path)!r}")
        model = self.copy_without_encoder()
        if model.backbone.autoregressive:
            raise ValueError(f"{model.backbone!r} writes step by step, which no program does that export makes")
        module = DecoderModule(model)
        write = _write_onnx if path.suffix == ".onnx" else _write_program
        with warnings.catch_warnings():
            # Of torch's tracing about itself.
            warnings.simplefilter("ignore")
            write(module, module.make_inputs(), path)


class DecoderModule(nn.Module):
    """What is exported: codes, and labels where the model knows some, to values.

    Parameters
    ----------
    model : Model
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, codes: Tensor, labels: Tensor | None = None) -> Tensor:
        """Decode."""
        return self.model.decode(codes, labels)

    def make_inputs(self) -> dict[str, Tensor]:
        """Inputs of two rows by name."""
        widths = {"codes": self.model.bottleneck.code_size, "labels": self.model.labels.width}
        return {name: self.model.mean_log_prob.new_zeros(2, width) for name, width in widths.items() if width}


def _write_program(module: DecoderModule, examples: dict[str, Tensor], path: Path) -> None:
    torch.export.save(_trace(module, examples), path)


def _write_onnx(module: DecoderModule, examples: dict[str, Tensor], path: Path) -> None:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError("ONNX files need onnx and onnxscript: pip install 'isthmus[export]'") from error
    program, inputs = _trace(module, examples), list(examples)
    torch.onnx.export(program, f=path, input_names=inputs, output_names=["values"], external_data=False, verbose=False)


def _trace(module: DecoderModule, examples: dict[str, Tensor]) -> torch.export.ExportedProgram:
    dynamic = {name: {0: torch.export.Dim("n")} for name in examples}
    return torch.export.export(module, (), examples, dynamic_shapes=dynamic)
