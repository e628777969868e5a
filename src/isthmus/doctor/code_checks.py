"""Checks of the codes of a fitted model, and of the units that compute them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn

from isthmus.bottlenecks import Gaussian as GaussianCode
from isthmus.bottlenecks import TopK, VectorQuantized
from isthmus.doctor.fitted_input import FittedInput
from isthmus.doctor.rows import Values
from isthmus.finding import Finding
from isthmus.formatting import format_percent, pluralize
from isthmus.generation import draw_codes
from isthmus.latent import active_units
from isthmus.metrics.learning import MIN_ROWS, detection_score
from isthmus.priors import Density
from isthmus.randomness import seeded

# Nats per row that a row must lose with the code of another row; chosen on synthetic data.
MIN_LOSS = 0.1
# Share of dead components above which they are reported, chosen on synthetic data; and uses of each one if all are used
# equally, below which nothing can be said: with 5, less than 1 % are not used by chance.
MAX_DEAD, MIN_USES = 0.25, 5
# Share of dead hidden units of a layer above which they are reported. Chosen on cardiography, yeast and two sets of
# digits, where default learning rates leave up to 0.6 of a layer dead, and on drawn rows, where rates of 0.5 leave 0.7.
MAX_DEAD_HIDDEN = 0.65
# AUROC above which samples come from another distribution. Twelve VAEs with default parameters, on tables of ADBench,
# faces, NSL-KDD and drawn rows, reach 0.5 to 0.77; plain autoencoders of clustered data 0.9 to 1.
MAX_AUROC = 0.8


def find_posterior_collapse(data: FittedInput) -> Iterator[Finding]:
    """Find codes that do not depend on the row, or that the decoder ignores (Bowman et al., 2016)."""
    if data.lacks_labels:
        return
    stochastic = data.module.bottleneck.stochastic
    n_active = int(active_units(data.estimator, data.sample).sum())
    loss = max(0.0, _loss_of_wrong_codes(data))
    if (stochastic and n_active == 0) or loss < MIN_LOSS:
        detail = f"with the code of another row, the log likelihood of a row falls by {loss:.2g} nats only"
        counts = f"{n_active} of {pluralize(data.codes.shape[1], 'component')} active; " if stochastic else ""
        yield Finding("posterior collapse", (), counts + detail, _advise_on_collapse(data))


def find_dead_components(data: FittedInput) -> Iterator[Finding]:
    """Find components of sparse codes that are the same in all rows, and vectors of a codebook that no row uses."""
    if isinstance(data.bottleneck, VectorQuantized):
        n_units, n_uses = data.bottleneck.n_codes, data.codes.size
        n_dead = n_units - len(np.unique(data.codes))
        what, advice = "vectors of the codebook", f"bottleneck=VectorQuantized(n_codes={n_units - n_dead})"
    elif data.module.bottleneck.stochastic:
        return
    else:
        n_units, n_uses = data.codes.shape[1], int((data.codes != 0).sum())
        n_dead = int((np.ptp(data.codes, axis=0) == 0).sum())
        what, advice = "components", _advise_on_dead_components(data, n_units - n_dead)
    if n_dead > MAX_DEAD * n_units and n_uses >= MIN_USES * n_units:
        detail = f"{n_dead} of {n_units} {what} are not used by any of {pluralize(len(data.sample), 'row')}"
        yield Finding("dead components", (), detail, advice)


def find_dead_hidden_units(data: FittedInput) -> Iterator[Finding]:
    """Find hidden units with the activation ReLU that are 0 for all rows, which get no gradients."""
    layers = _dead_by_layer(data)
    worst = max(layers, key=np.mean, default=np.zeros(1))
    if worst.mean() > MAX_DEAD_HIDDEN:
        share = f"{int(worst.sum())} of {len(worst)} units ({format_percent(worst.mean())})"
        detail = f"{share} of one of {pluralize(len(layers), 'layer')} with the activation ReLU are 0 for all rows"
        yield Finding("dead hidden units", (), detail, 'backbone__activation="silu", or a lower learning_rate')


def find_prior_mismatch(data: FittedInput) -> Iterator[Finding]:
    """Find samples drawn where no codes of rows lie, by a classifier two-sample test (Lopez-Paz and Oquab, 2017).

    A plain autoencoder without a chosen prior is no model of new rows, and is not examined.
    """
    is_generator = data.module.bottleneck.stochastic or data.estimator.prior is not None
    if not is_generator or len(data.sample) < MIN_ROWS:
        return
    auroc = detection_score(*_codes_and_samples(data), random_state=0)
    if auroc > MAX_AUROC:
        known = " with their labels" if data.uses_labels else ""
        detail = f"a classifier tells drawn codes from codes of rows{known} with an AUROC of {auroc:.2f}; 0.5 is chance"
        remedy = 'fit a density on the codes and draw from it: prior="mixture"'
        advice = remedy if not isinstance(data.module.prior, Density) else 'use a more flexible density: prior="flow"'
        yield Finding("codes do not lie where samples are drawn", (), detail, advice)


def _loss_of_wrong_codes(data: FittedInput) -> float:
    """Return how much the mean log likelihood of rows falls with codes of other rows, in nats per row."""
    module = data.module

    def loss(x: Tensor, y: Tensor | None) -> Tensor:
        z, x = module.draw(x), module.to_model(x)
        own, other = (module.decode_draws(each[None], x, y)[1][0] for each in (z, z.roll(1, 0)))
        return own - other

    return float(data.run(loss, data.labelled_sample)[0].mean())


def _advise_on_collapse(data: FittedInput) -> str:
    if not data.module.bottleneck.stochastic:
        return "train longer, or with a higher learning_rate; columns that are independent need no code"
    name, beta = type(data.bottleneck).__name__, min(1.0, getattr(data.bottleneck, "beta", 1.0))
    free_bits = ", free_bits=0.1" if isinstance(data.bottleneck, GaussianCode) else ""
    weaker = ", or a decoder that does not read earlier values" * data.module.backbone.autoregressive
    return f"bottleneck={name}(beta={beta:g}, warmup=0.5{free_bits}){weaker}; columns that are independent need no code"


def _advise_on_dead_components(data: FittedInput, n_used: int) -> str:
    fewer = f"n_components={max(n_used, 1)}"
    return f"regularizers=AuxK(), or {fewer}" if isinstance(data.bottleneck, TopK) else f"{fewer}, or a smaller penalty"


def _dead_by_layer(data: FittedInput) -> list[Values]:
    """Return which units of each layer of ReLU are 0 in all rows; the units of a convolution are its channels."""
    layers = [layer for layer in data.module.backbone.modules() if isinstance(layer, nn.ReLU)]
    largest: dict[int, Tensor] = {}

    def keep_largest(i: int) -> Any:
        def keep(layer: nn.Module, inputs: Any, output: Tensor) -> None:
            highest = output.detach().transpose(0, 1).flatten(1).amax(1)
            largest[i] = torch.maximum(highest, largest.get(i, highest))

        return keep

    hooks = [layer.register_forward_hook(keep_largest(i)) for i, layer in enumerate(layers)]
    try:
        data.run(data.module.reconstruct, data.sample)
    finally:
        for hook in hooks:
            hook.remove()
    return [(values <= 0).cpu().numpy() for values in largest.values()]


def _codes_and_samples(data: FittedInput) -> tuple[pa.Table, pa.Table]:
    """Return codes drawn for rows and the same number of codes drawn without rows, with labels if they are used."""
    mean, std = data.estimator.transform(data.sample, return_std=True)
    codes = mean + std * np.random.default_rng(0).normal(size=mean.shape)
    y = data.sample_labels
    with seeded(0, data.module.device):
        drawn = draw_codes(data.module, len(codes), 1.0, y)
    return _to_table(codes, y), _to_table(drawn, y)


def _to_table(codes: Values, y: Any) -> pa.Table:
    columns = {str(i): component for i, component in enumerate(codes.T)}
    return pa.table(columns if y is None else {**columns, "label": y})
