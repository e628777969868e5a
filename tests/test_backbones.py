"""Backbones for series, images and volumes."""

import numpy as np
import pytest
import torch
from conftest import small
from sklearn.base import clone
from torch import nn

from isthmus import inference
from isthmus.backbones import TCN, Conv, Recurrent, Transformer
from isthmus.backbones.attention import AttentionBlock, from_patches, to_patches
from isthmus.backbones.grids import OneChannelConvTranspose, weight_uses
from isthmus.backbones.tcn import n_blocks_for
from isthmus.data import Windows
from isthmus.likelihoods import Gaussian

SERIES = [(5,), (1, 1), (3, 17), (2, 64)]
IMAGES = [(1, 28, 28), (3, 7, 10), (2, 1, 9), (1, 5, 6, 7)]
OF_GRIDS = [
    Conv(),
    Conv((4, 8, 8), kernel_size=5, stride=3, residual=True, activation="relu", norm="group"),
    Conv((6,), kernel_size=1, stride=1, norm="layer"),
    Transformer(8, n_heads=2),
    Transformer(8, n_layers=1, patch=3),
]
OF_STEPS = [
    Recurrent(8, autoregressive=True),
    Recurrent(8, n_layers=2, cell="lstm", autoregressive=True, word_dropout=0.5),
    Transformer(8, autoregressive=True, dropout=0.1),
]
OF_SERIES = [
    TCN(8),
    TCN(8, n_blocks=2, kernel_size=5, activation="relu", dropout=0.1),
    Recurrent(8),
    Recurrent(8, n_layers=2, cell="lstm"),
    *OF_STEPS,
]
CASES = [(part, shape) for part in OF_GRIDS for shape in SERIES + IMAGES]
CASES += [(part, shape) for part in OF_SERIES for shape in SERIES]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def built(part, shape, flags=False, n_parameters=1, condition_width=0, positions=()):
    part = clone(part).eval()
    part.n_flags = flags * (1 if len(shape) == 1 else shape[0])
    input_shape = shape[0] * (1 + flags), *shape[1:]
    part.build(input_shape, (n_parameters, *shape), (4, *positions), (3, *positions), condition_width)
    return part


def decoded(part, z, target, condition=None):
    """Return parameters of series; autoregressive decoders also get the series."""
    return part.decode(z, condition, target) if part.autoregressive else part.decode(z, condition)


@pytest.mark.parametrize(("part", "shape"), CASES, ids=repr)
def test_samples_of_any_size_come_back_in_their_shape(part, shape):
    part = built(part, shape, flags=True, n_parameters=2, condition_width=2)
    h = part.encode(torch.randn(6, shape[0] * 2, *shape[1:]))
    theta = decoded(part, torch.randn(6, 3), torch.randn(6, *shape), torch.randn(6, 2))
    assert h.shape == (6, 4)
    assert theta.shape == (6, 2, *shape)
    assert part.code_norms().shape == (1, 3)


@pytest.mark.parametrize("shape", [(3, 17), (3, 7, 10), (1, 5, 6, 7)], ids=repr)
def test_a_spatial_code_has_the_positions_of_the_last_stage(shape):
    part = Conv((4, 8), stride=3)
    positions = part.code_positions(shape, (2, *shape))
    assert positions == tuple(-(-size // 9) for size in shape[1:])
    part = built(part, shape, n_parameters=2, condition_width=5, positions=positions)
    assert part.encode(torch.randn(6, *shape)).shape == (6, 4, *positions)
    assert part.decode(torch.randn(6, 3, *positions), torch.randn(6, 5)).shape == (6, 2, *shape)
    assert part.code_norms() is None


def test_a_position_of_a_spatial_code_affects_its_own_place_in_the_image():
    part = built(Conv((4, 4), kernel_size=1), (1, 8, 12), condition_width=2, positions=(2, 3))
    z, condition = torch.randn(1, 3, 2, 3, requires_grad=True), torch.randn(1, 2, requires_grad=True)
    theta = part.decode(z, condition)[0, 0, 0]
    gradient, of_condition = torch.autograd.grad(theta[4, 8], (z, condition))
    assert (gradient[0].abs().sum(0) > 0).tolist() == [[False, False, False], [False, False, True]]
    assert (of_condition != 0).all()


@pytest.mark.parametrize(("part", "shape"), CASES, ids=repr)
def test_a_spatial_code_of_another_shape_is_refused(part, shape):
    expected = r"needs codes of shape \(k,\).*, got \(4, 99\)"
    with pytest.raises(ValueError, match=expected):
        built(part, shape, positions=(99,))


@pytest.mark.parametrize(("part", "shape"), CASES, ids=repr)
def test_every_value_reaches_the_code_and_every_weight_the_reconstruction(part, shape):
    part = built(part, shape).double()
    u = torch.randn(9, *shape, dtype=torch.float64, requires_grad=True)
    decoded(part, part.encode(u)[:, :3], u).square().sum().backward()
    assert (u.grad.abs().sum(0) > 0).all()
    unused = [name for name, p in part.named_parameters() if not p.grad.abs().sum() > 0]
    assert not [name for name in unused if shape[-1] > 1 or not ("weight_hh" in name or "before" in name)]


@pytest.mark.parametrize("part", OF_SERIES, ids=repr)
@pytest.mark.parametrize("shape", IMAGES, ids=str)
def test_nets_for_series_refuse_images(part, shape):
    with pytest.raises(
        ValueError, match=rf"{type(part).__name__} needs samples of shape \(channels, time\), or \(time,\)"
    ):
        built(part, shape)


@pytest.mark.parametrize("part", [Conv(), TCN(), Recurrent(), Transformer()], ids=repr)
def test_convolutions_refuse_categories(part):
    with pytest.raises(ValueError, match=r"got encoded input \(7,\) and output \(12,\)"):
        clone(part).build((7,), (12,), (4,), (3,), 0)


def test_missing_value_flags_of_one_channel_become_a_second_channel():
    first = built(Conv(), (6,), flags=True).encoder[0]
    values, flags = torch.randn(4, 6), torch.ones(4, 6)
    assert torch.equal(first(torch.cat([values, flags], 1)), torch.stack([values, flags], 1))


@pytest.mark.parametrize("n_channels", [1, 3])
def test_images_are_stored_in_the_fastest_memory_layout(n_channels):
    part = built(Conv(), (n_channels, 16, 16))
    stages = []
    for module in part.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and not isinstance(module, OneChannelConvTranspose):
            module.register_forward_hook(lambda module, inputs, output: stages.append(output))
    assert part.decode(part.encode(torch.randn(2, n_channels, 16, 16))[:, :3]).is_contiguous()
    assert len(stages) == (6 if n_channels > 1 else 5)
    assert all(stage.stride(1) == 1 for stage in stages)


@pytest.mark.parametrize("kernel_size", [3, 7])
@pytest.mark.parametrize("n_steps", [2, 9, 50])
def test_automatic_n_blocks_is_the_least_whose_receptive_field_covers_the_window(kernel_size, n_steps):
    def unseen(n_blocks):
        part = built(TCN(4, n_blocks, kernel_size, "tanh"), (1, n_steps)).double()
        layers = part.encoder[:2]
        u = torch.randn(1, 1, n_steps, dtype=torch.float64, requires_grad=True)
        first = torch.autograd.grad(layers(u)[0, :, 0].sum(), u)[0]
        return int((first == 0).sum())

    fewest = n_blocks_for(n_steps, kernel_size)
    assert (
        len([m for m in built(TCN(4, "auto", kernel_size), (1, n_steps)).encoder[1] if type(m).__name__ == "Residual"])
        == fewest
    )
    assert unseen(fewest) == 0
    assert fewest == 1 or unseen(fewest - 1) > 0


def test_a_recurrent_net_equals_its_cell_applied_step_by_step():
    part = built(Recurrent(5), (2, 7), n_parameters=1)
    u, z = torch.randn(3, 2, 7), torch.randn(3, 3)
    reader, writer = nn.GRUCell(2, 5), nn.GRUCell(5, 5)
    for cell, net in ((reader, part.encoder[1][0].net), (writer, part.decoder[1][0].net)):
        cell.load_state_dict({name.removesuffix("_l0"): value for name, value in net.state_dict().items()})
    state = torch.zeros(3, 5)
    for step in range(7):
        state = reader(u[:, :, step], state)
    torch.testing.assert_close(part.encode(u), part.encoder[2](state))
    state, code = torch.zeros(3, 5), part.decoder[0](z)
    for step in range(7):
        state = writer(code, state)
        expected = part.decoder[1][1].weight[:, :, 0] @ state.T + part.decoder[1][1].bias[:, None]
        torch.testing.assert_close(part.decode(z)[:, 0, :, 6 - step], expected.T)


def test_weights_of_convolutions_count_once_per_position():
    part = built(Conv((4, 6), kernel_size=5), (1, 9, 8))
    # Stages of 5 x 4 and 3 x 2 positions.
    products = 2 * (1 * 4 * 25 * 20 + 4 * 6 * 25 * 6) + 36 * (4 + 3)
    assert sum(weight.numel() * times for weight, times in weight_uses(part) if weight.ndim > 1) == products
    assert (
        sum(weight.numel() * times for weight, times in weight_uses(built(Recurrent(5), (2, 7))) if weight.ndim == 3)
        == 5 * 2 * 7
    )


@pytest.mark.parametrize("part", [Conv((16,)), TCN(16), Recurrent(16), Transformer(16)], ids=repr)
def test_long_series_are_encoded_in_small_batches(part, rng, monkeypatch):
    monkeypatch.setattr(inference, "N_BATCHES_AT_ONCE", 1)
    model = small("autoencoder", backbone=part, max_epochs=1).fit(rng.normal(size=(8, 1, 1000)))
    assert inference.rows_at_once(model.module_) <= inference.MAX_VALUES / (16 * 500)


@pytest.mark.parametrize("part", [Conv((8,)), TCN(8), Recurrent(16), Transformer(16)], ids=repr)
def test_sine_waves_of_any_phase_are_rebuilt_from_two_components(part):
    """Phases of a sine, which a linear code of two components represents exactly."""
    windows = Windows(np.sin(np.arange(420) * 2 * np.pi / 20), 20)
    model = small("autoencoder", backbone=part, max_epochs=40, batch_size=64, learning_rate=0.02).fit(windows)
    truth = next(windows.batches(len(windows))).x.numpy()
    assert np.square(model.reconstruct(windows) - truth).mean() < 0.05 * truth.var()


@pytest.mark.parametrize(
    "part", [Conv((4,)), TCN(4), Recurrent(4), Transformer(4), Recurrent(4, autoregressive=True)], ids=repr
)
def test_labels_and_missing_value_flags_reach_every_net(part, rng):
    X = rng.normal(size=(60, 2, 9))
    X[rng.random(X.shape) < 0.1] = np.nan
    model = small("conditional_vae", backbone=part, likelihood=Gaussian()).fit(X, np.arange(60) % 3)
    assert np.isfinite(model.score_samples(X)).all()
    assert model.sample(5, y=1).shape == (5, 2, 9)


@pytest.mark.parametrize(
    ("kernel", "stride", "sizes"), [(3, 2, (7, 10)), (5, 3, (4, 1)), (1, 2, (3, 3)), (3, 1, (5, 4))]
)
def test_overlapping_patches_are_decoded_as_by_a_transposed_convolution(kernel, stride, sizes):
    beyond = (stride - 1, 0)
    ours, theirs = (
        kind(6, 1, kernel, stride, kernel // 2, beyond).double()
        for kind in (OneChannelConvTranspose, nn.ConvTranspose2d)
    )
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(3, 6, *sizes, dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize(("patch", "sizes"), [(1, (5,)), (3, (7,)), (2, (4, 6)), (4, (6, 9)), (2, (3, 4, 5))])
def test_patches_are_cut_as_by_unfold_and_joined_as_by_fold(patch, sizes):
    x = torch.randn(2, 3, *sizes)
    patches = to_patches(x, patch)
    counts = [-(-size // patch) for size in sizes]
    assert patches.shape == (2, np.prod(counts), 3 * patch ** len(sizes))
    assert torch.equal(from_patches(patches, patch, sizes), x)
    first = x[(slice(None), slice(None), *[slice(patch)] * len(sizes))]
    assert torch.equal(patches[:, 0], first.flatten(1))


def test_attention_equals_that_of_torch():
    block = AttentionBlock(8, 2, 0.0).double()
    theirs = nn.TransformerEncoderLayer(8, 2, 32, 0.0, "gelu", batch_first=True, norm_first=True).double()
    pairs = {
        "norm1": block.attention_norm,
        "norm2": block.feed_forward_norm,
        "linear1": block.feed_forward[0],
        "linear2": block.feed_forward[2],
        "self_attn.out_proj": block.projection,
    }
    state = {f"{name}.{key}": value for name, part in pairs.items() for key, value in part.state_dict().items()}
    state |= {"self_attn.in_proj_weight": block.qkv.weight, "self_attn.in_proj_bias": block.qkv.bias}
    theirs.load_state_dict(state)
    x = torch.randn(3, 5, 8, dtype=torch.float64)
    torch.testing.assert_close(block(x)[0], theirs(x))


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (Transformer(n_heads=5), "n_heads of Transformer must be a divisor of the width, 64, got 5"),
        (
            Transformer(patch=2, autoregressive=True),
            "patch of Transformer must be 1 for an autoregressive decoder, got 2",
        ),
        (Transformer(dropout=1.0), r"dropout of Transformer must be in \[0, 1\), got 1.0"),
    ],
)
def test_transformers_check_their_parameters(part, message):
    with pytest.raises(ValueError, match=message):
        built(part, (2, 6))


def test_padding_of_patches_is_not_marked_as_missing():
    part = built(Transformer(8, patch=4), (1, 6), flags=True)
    u = torch.randn(4, 2, 6)
    u[:, 1] = 0.0
    u[:, 1, 4:] = 1.0
    other = u.clone()
    other[:, 0, 4:] = 5.0
    assert torch.equal(part.encode(u), part.encode(other))
