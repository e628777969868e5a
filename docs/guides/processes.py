"""
Several processes, GPUs and clusters
====================================

A fit takes hours, and there are more cores, a GPU, or several machines. The same program can use them. Whether it gets
faster depends on the net and on the batch, and one can compute that before.
"""

# %%
# First: is the fit really slow?
# ------------------------------
#
# - Most fits of tables take seconds. One process with one thread is the fastest way for small nets.
# - Is the batch small? A larger ``batch_size`` makes fewer and better filled steps.
# - Does the curve stay flat at the end (``plots.history``)? Then fewer epochs do.
# - Do the rows not fit into memory? That is another question: :doc:`big_data`.

# %%
# Two processes
# -------------
#
# Any program that calls ``fit`` trains in parallel if ``torchrun`` starts it. Here is such a program.

from pathlib import Path

PROGRAM = """
import os

import numpy as np

from isthmus import Autoencoder, save

rng = np.random.default_rng(0)
rows = rng.normal(size=(4000, 3)) @ rng.normal(size=(3, 20))
rows += 0.1 * rng.normal(size=rows.shape)
model = Autoencoder(3, max_epochs=5, batch_size=500, device="cpu", random_state=0).fit(rows)
# All processes have the same model: one of them writes it.
if os.environ.get("RANK", "0") == "0":
    save(model, f"from-{os.environ.get('WORLD_SIZE', '1')}.safetensors")
"""
folder = Path("processes")
folder.mkdir(exist_ok=True)
_ = (folder / "fit.py").write_text(PROGRAM)

# %%
# Run it once alone and once under ``torchrun``:
#
# .. code-block:: console
#
#    $ python fit.py
#    $ torchrun --nproc-per-node 2 fit.py
#
# The next block does the same.

import os
import subprocess
import sys

# One thread for each process, or they disturb each other.
settings = {"check": True, "cwd": folder, "env": os.environ | {"OMP_NUM_THREADS": "1"}}
torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
for command in ([sys.executable], torchrun):
    subprocess.run([*command, "fit.py"], **settings)

# %%
# Each process computed half of each batch. ``batch_size`` is the size of the whole batch, so settings and losses mean
# the same for any number of processes, and the models are equal up to rounding:

import numpy as np

from isthmus import load

alone, together = (load(folder / f"from-{n}.safetensors") for n in (1, 2))
rows = np.random.default_rng(1).normal(size=(100, 20))
difference = np.abs(alone.transform(rows) - together.transform(rows)).max()
print(f"largest difference of codes: {difference:.0e}")

# %%
# The command line does the same, and saves once:
#
# .. code-block:: console
#
#    $ torchrun --nproc-per-node 2 -m isthmus fit rows.parquet --checkpoint progress
#
# With several machines, give ``torchrun`` the number of nodes and the address of the first one.

# %%
# Does it pay?
# ------------
#
# A step has three parts: the work on rows, which is divided; work that is not; and the exchange of the gradient, 4
# bytes for each weight. Put in your own figures.


def seconds_per_step(n, batch, per_row, fixed, n_bytes, bandwidth, latency):
    """Return the seconds of a step of n processes."""
    exchange = 2 * (n - 1) / n * n_bytes / bandwidth + latency * (n > 1)
    return batch / n * per_row + fixed + exchange


# %%
# These are figures of :doc:`../scaling` for a net of 784-512-256-32 units. Two processes on two cores were measured,
# dots; the curves are this formula. The GPUs are a prediction: 0.33 us a row, 1 ms a step, 200 GB/s between them.

import matplotlib.pyplot as plt

numbers = np.arange(1, 9)
machines = {
    "cores of one machine": {
        "per_row": 1e-4,
        "fixed": 0.0,
        "n_bytes": 4.3e6,
        "bandwidth": 5e8,
        "latency": 1e-3,
    },
    "GPUs (predicted)": {
        "per_row": 3.3e-7,
        "fixed": 1e-3,
        "n_bytes": 4.3e6,
        "bandwidth": 2e11,
        "latency": 2e-5,
    },
}
fig, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for ax, (name, costs), batches in zip(
    axes, machines.items(), ((256, 4096), (4096, 65536)), strict=True
):
    for batch in batches:
        times = np.array([seconds_per_step(n, batch, **costs) for n in numbers])
        ax.plot(numbers, times[0] / times, label=f"batch of {batch:,}")
    ax.plot(numbers, numbers, color="grey", linestyle=":", label="ideal")
    ax.set(title=name, xlabel="processes", ylabel="times as fast", ylim=(0, 8.2))
axes[0].plot([2, 2], [0.78, 1.79], "o", color="black", label="measured")
for ax in axes:
    ax.legend(frameon=False, loc="upper left")
plt.show()

# %%
# Small batches gain nothing. With 256 rows, the exchange takes as long as the work that it saves; two processes on busy
# cores were even slower than one. Large batches gain, but very large ones need more epochs: above some tens of
# thousands of rows a step, look at the error and not at the rows per second.

# %%
# A GPU
# -----
#
# ``device="auto"``, the default, takes a GPU if the training is estimated to be shorter there. Small nets on tables
# often stay on the processor, rightly: starting the GPU alone takes some seconds. On an NVIDIA H100, a step of a small
# net then takes 0.17 ms; on a core, 0.7 ms (:doc:`../performance`). ``verbose=1`` says where a fit runs. To decide
# yourself (not run here):
#
# .. code-block:: python
#
#    Autoencoder(32, device="cuda").fit(rows)
#    Autoencoder(32, device="cuda", precision="bfloat16").fit(rows)
#    load("m.safetensors", device="cpu")            # a model from a GPU works everywhere
#
# Under ``torchrun``, each process takes its own GPU: ``--nproc-per-node`` is the number of GPUs.

# %%
# A cluster with Ray
# ------------------
#
# Ray starts the workers, replaces those that die, and all go on from the last checkpoint (``pip install
# 'isthmus[ray]'``; not run here):
#
# .. code-block:: python
#
#    from isthmus import Autoencoder, distributed
#
#    workers = {"num_workers": 4, "resources": {"CPU": 8, "GPU": 1}}
#    model = distributed.fit(
#        Autoencoder(8), "days/day-*.parquet", storage_path="/shared/runs", **workers
#    )
#    codes = distributed.transform(model, "days/day-*.parquet", num_workers=4, keep=["id"])
#    codes.write_parquet("/shared/codes")
#
# All machines must be able to read the files and ``storage_path``. On one machine, the command line does it:
#
# .. code-block:: console
#
#    $ isthmus fit 'days/day-*.parquet' --workers 2 --out m.safetensors

# %%
# What goes wrong
# ---------------
#
# - **Two processes are slower than one.** The batch is small, or processes share cores: set ``OMP_NUM_THREADS=1`` and
#   start no more processes than there are cores.
# - **A fit is slow while other programs run.** Threads that wait for each other take the processor from the others.
#   Import isthmus before torch, which makes them wait less, or set ``OMP_NUM_THREADS=1``.
# - **Each process writes the file.** Let one of them do it, as in the program above.
# - **The data are read by each process.** For large data, use :class:`isthmus.data.Parquet`: each process reads its own
#   row groups. Batches then consist of other rows, and results agree less exactly.
# - **A machine dies.** ``callbacks=[Checkpoint("progress")]`` or ``storage_path``: the same call goes on.
# - **partial_fit** uses one process.
#
# See :mod:`isthmus.distributed`, :class:`isthmus.Autoencoder` (``device``, ``precision``), :class:`isthmus.Checkpoint`
# and :doc:`../scaling`.
