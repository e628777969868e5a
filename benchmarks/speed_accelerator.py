"""The page of accelerator figures, and its goals."""

from collections.abc import Callable

Ratio = Callable[[str, str, str], float | None]
Goal = tuple[str, float, float | None]

ABOUT = """# Speed on an accelerator compared with other libraries

`benchmarks/accelerator.sh` measures these figures on a machine with an NVIDIA GPU. Nets and libraries are those of
[`speed.md`](speed.md), all on the accelerator. `torch` is a plain loop with `DataLoader`, `torch-resident` gathers its
batches from rows on the device, and `torch-captured` replays one CUDA graph per step, which is the limit of a loop
of single steps. `keras-jax-steps` makes 32 steps per call (`steps_per_execution`). The entries of the zoo
have their defaults, with batches of 256 rows and no validation; the note says where and how their steps ran."""


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
