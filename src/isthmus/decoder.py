"""The decoder of a fitted autoencoder as a separate object."""

import os
import warnings
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from isthmus.ambient import with_own_settings
from isthmus.autoencoder import Autoencoder
from isthmus.errors import require_path, require_type
from isthmus.model import Model
from isthmus.part import Configurable

FORMATS = (".onnx", ".pt2")


@with_own_settings
class Decoder(Configurable):
    """The decoder of a fitted autoencoder, which can be saved without the encoder or exported to other software.

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
        """Decode codes (n, n_components) to data; see ``Autoencoder``."""
        return self._fitted().inverse_transform(Z, y, **options)

    def sample(self, n: int = 1, **options: Any) -> Any:
        """Draw new rows; options are those of ``Autoencoder.sample``."""
        return self._fitted().sample(n, **options)

    def copy_without_encoder(self) -> Model:
        """Copy the fitted module without the encoder.

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

    def export(self, path: str | os.PathLike[str]) -> None:
        """Export the decoder, from codes to expected values, for other software.

        Its inputs are "codes" (n, n_components) and, for a conditional model, "labels" (n, width) encoded by
        ``schema_.condition.encode``, both in the dtype of the model, float32 by default. Its output is "values"
        (n, *schema_.shape), not rounded. Categories are given by their index in ``schema_``. n is arbitrary.

        Parameters
        ----------
        path : str or path
            Ending in ``.onnx`` for ONNX, which needs the extra ``export``, or in ``.pt2`` for ``torch.export.load``.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If the path has another suffix, or if the decoder shares weights with the encoder or is
            autoregressive.
        ImportError
            If ONNX is not installed.
        """
        require_path("path", path)
        path = Path(path)
        if path.suffix not in FORMATS:
            raise ValueError(f"path must end in one of {list(FORMATS)}, got {str(path)!r}")
        model = self.copy_without_encoder()
        if model.backbone.autoregressive:
            raise ValueError(f"{model.backbone!r} generates rows step by step, which export does not support")
        # A program runs on the device that it was traced on.
        module = DecoderModule(model.cpu())
        write = _write_onnx if path.suffix == ".onnx" else _write_program
        with warnings.catch_warnings():
            # Tracing in torch warns about its own internals.
            warnings.simplefilter("ignore")
            write(module, module.make_inputs(), path)

    def _fitted(self) -> Autoencoder:
        require_type("estimator", self.estimator, Autoencoder, "an Autoencoder")
        check_is_fitted(self.estimator)
        return self.estimator


class DecoderModule(nn.Module):
    """Torch module for export, from codes and labels of conditional models to values.

    Parameters
    ----------
    model : Model
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, codes: Tensor, labels: Tensor | None = None) -> Tensor:
        """Decode codes and encoded labels to expected values."""
        return self.model.decode(codes, labels)

    def make_inputs(self) -> dict[str, Tensor]:
        """Return example inputs of two rows by name, for tracing."""
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
