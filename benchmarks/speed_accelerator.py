"""The page of accelerator figures: its goals, and the figures of a prototype until the benchmark has been run."""

from collections.abc import Callable

Ratio = Callable[[str, str, str], float | None]
Goal = tuple[str, float, float | None]

ABOUT = """# Speed on an accelerator compared with other libraries

`benchmarks/accelerator.sh` measures these figures on a machine with an NVIDIA GPU. Nets and libraries are those of
[`speed.md`](speed.md), all on the accelerator. `torch` is a plain loop with `DataLoader`, `torch-resident` gathers its
batches from rows on the device, and `torch-captured` replays one CUDA graph per step, which is the limit of a loop
of single steps. `keras-jax-steps` makes 32 steps per call (`steps_per_execution`). The entries of the zoo
have their defaults, with batches of 256 rows and no validation; the note says where and how their steps ran."""

PROTOTYPE = """## Not measured yet

These figures were **measured with a prototype of this loop, not with this code**: MNIST 60,000 x 784 and the table of
200,000 x 30, batches of 256, seconds per epoch, median after the first, on an NVIDIA H100 with torch 2.11. The
prototype kept the rows on the device and replayed one recorded step, as isthmus does now; "before" is isthmus without
either.

| net | isthmus before | prototype | Keras on JAX | `torch` | `torch-resident` | `torch-captured` |
| --- | --- | --- | --- | --- | --- | --- |
| 784-32-784 | 0.618 | 0.038 | 0.299 | 0.525 | 0.307 | 0.026 |
| 784-512-256-64 and back | 0.827 | 0.075 | 0.309 | 0.834 | 0.725 | 0.073 |
| table 30-16-4 and back | 2.15 | 0.136 | 0.974 | 2.62 | | |
| `Autoencoder(32)` | 1.16 | 0.071 | | | | |
| `vae` | 1.38 | 0.093 | | | | |
| `denoising` | 1.21 | 0.075 | | | | |
| `sparse` | 1.42 | 0.084 | | | | |
| `contractive`, 20,000 rows | 0.54 | 0.039 | | | | |
| `convolutional` | 1.74 | 0.139 | | | | |
| `imputer` | 2.86 | 0.236 | | | | |
| `conditional_vae` | 1.78 | 0.097 | | | | |
| `recurrent` | 0.23 | 0.013 | | | | |"""


def goals(ratio: Ratio, nets: dict[str, str]) -> list[Goal]:
    """Return the goals on an accelerator: name, limit and measured ratio."""
    epoch, peers = (
        "seconds per epoch",
        (("keras-jax", "Keras on JAX", 0.25), ("torch-captured", "the captured loop", 1.6)),
    )
    return [
        *(
            (f"{net} net, seconds per epoch relative to {other}", most, ratio(net, epoch, peer))
            for net in ("small", "deep", "table")
            for peer, other, most in peers
        ),
        *(
            (
                f"scoring, {nets[task]}: relative to PyTorch",
                1.5,
                ratio(task, "seconds to score", "torch-resident"),
            )
            for task in ("score-deep", "score-table")
        ),
    ]
