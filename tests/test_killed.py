"""Fits that are killed by the system at random moments, and fits that the user interrupts."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from test_checkpoint import X, assert_equal, small
from test_cli import call

from isthmus import load
from isthmus.corruptions import GaussianNoise
from isthmus.data import Array
from isthmus.training import copy_weights

# Killed by the system

DRIVER = """
import json, os, random, signal, sys, time
from pathlib import Path
import numpy as np
import torch
from isthmus import Autoencoder, Checkpoint, save, storage
from isthmus.__main__ import main
from isthmus.backbones import MLP
from isthmus.corruptions import Masking

# This process never computes: threads of its own would not outlive a fork. But what it imports, no child has to.
home, chance = Path(sys.argv[1]), random.Random(0)
storage.write(home / "first", {"first": torch.zeros(1)}, {})
# Disks take their time.
os.fsync = lambda file: time.sleep(0.005)
Checkpoint.__init__.__defaults__ = (0.0,)
rows = np.random.default_rng(0).normal(size=(500, 6))
np.save(home / "rows.npy", rows)

def by_hand(out, folder):
    callbacks = [] if folder is None else [Checkpoint(folder)]
    options = {"bottleneck": "gaussian", "corruption": Masking(0.3), "backbone": MLP((16,), dropout=0.1)}
    model = Autoencoder(2, **options, max_epochs=5, batch_size=32, callbacks=callbacks, random_state=0)
    save(model.fit(rows), out)

def by_command(out, folder):
    words = ["fit", home / "rows.npy", "--model", "vae", "--out", out, "--set", "max_epochs=5"]
    words += ["--set", "backbone.hidden=[16]", "--set", "batch_size=32", "--set", "verbose=0"]
    sys.argv = ["isthmus", *map(str, words + ([] if folder is None else ["--checkpoint", folder]))]
    main()

def lives(job, out, folder, seconds):
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        try:
            job(out, folder)
        finally:
            os._exit(not Path(out).exists())
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

def suffer(job, name, at_least):
    started = time.perf_counter()
    assert lives(job, home / f"{name}.safetensors", None, None)
    whole, kills, parts, fits, positions = time.perf_counter() - started, 0, 0, 0, set()
    while kills < at_least:
        folder, out = home / f"{name}-{fits}", home / f"{name}-{fits}.safetensors"
        # The last chance to end comes without a threat, so that the test ends.
        while not lives(job, out, folder, chance.uniform(0.2, 1.2) * whole if kills < at_least else None):
            kills += 1
            parts += len(list(folder.glob(".*.part")))
            positions |= {(fits, file.read_bytes()) for file in folder.glob("*.safetensors")}
        fits += 1
    left = [str(part) for part in home.glob("*/.*")]
    return {"kills": kills, "positions": len(positions), "parts": parts, "fits": fits, "left": left}

print(json.dumps(suffer(globals()[sys.argv[2]], sys.argv[2], int(sys.argv[3]))))
"""


@pytest.mark.parametrize(("job", "n_kills"), [("by_hand", 12), ("by_command", 2)])
def test_a_killed_fit_ends_with_the_weights_of_one_that_was_not_and_leaves_no_half_files(job, n_kills, tmp_path):
    command = [sys.executable, "-c", DRIVER, str(tmp_path), job, str(n_kills)]
    told = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    assert told["kills"] >= n_kills
    undisturbed = load(tmp_path / f"{job}.safetensors")
    for i in range(told["fits"]):
        assert_equal(load(tmp_path / f"{job}-{i}.safetensors"), undisturbed)
    assert told["left"] == []
    if job == "by_hand":
        assert told["parts"] > 0
        assert told["positions"] > 5


# Interrupted by the user


class Interrupting(GaussianNoise):
    """Sends Ctrl-C in the middle of a step."""

    def __init__(self, step=0):
        super().__init__()
        self.step = step

    def forward(self, x):
        self.step -= self.training
        if not self.step:
            signal.raise_signal(signal.SIGINT)
        return super().forward(x)


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize("share", [0, 0.1])
def test_ctrl_c_keeps_the_best_weights_so_far(share):
    seen = []
    options = {"validation_fraction": share, "corruption": Interrupting(10), "optimizer": "adam"}
    model = small(**options, callbacks=[lambda state: seen.append(copy_weights(state.model))])
    with pytest.warns(ConvergenceWarning, match="interrupted in epoch 3; the best weights so far are kept"):
        model.fit(X)
    bounds = [row["valid_negative_bound" if share else "epoch"] for row in model.history_]
    best = seen[int(np.argmin(bounds))] if share else seen[-1]
    kept = {
        name: value
        for name, value in model.module_.state_dict().items()
        if name in dict(model.module_.named_parameters())
    }
    assert all(torch.equal(value, best[name]) for name, value in kept.items())
    assert np.isfinite(model.reconstruct(X)).all()


@pytest.mark.usefixtures("listening")
def test_ctrl_c_in_the_first_epoch_raises_keyboard_interrupt():
    model = small(corruption=Interrupting(3))
    with pytest.raises(KeyboardInterrupt):
        model.fit(X)
    assert "module_" not in vars(model)


def interrupt(monkeypatch, epochs):
    """Send Ctrl-C when a number of epochs have begun."""
    original, begun = Array.batches, []

    def batches(self, size, seed=None, shard=(0, 1)):
        begun.extend([seed] * (seed is not None))
        if len(begun) == epochs:
            signal.raise_signal(signal.SIGINT)
        return original(self, size, seed, shard)

    monkeypatch.setattr(Array, "batches", batches)


COMMAND = ["--set", "max_epochs=9", "--set", "backbone.hidden=[4]", "--set", "verbose=0"]


@pytest.mark.usefixtures("listening")
def test_ctrl_c_makes_the_command_write_the_best_model_so_far(monkeypatch, tmp_path):
    np.save(tmp_path / "rows.npy", X)
    interrupt(monkeypatch, 3)
    with pytest.warns(ConvergenceWarning, match="interrupted in epoch 3"):
        result = call("fit", tmp_path / "rows.npy", *COMMAND)
    assert result.exit_code == 0
    assert len(load(tmp_path / "rows.safetensors").history_) == 2


@pytest.mark.usefixtures("listening")
def test_ctrl_c_in_the_first_epoch_makes_the_command_write_nothing(monkeypatch, tmp_path):
    np.save(tmp_path / "rows.npy", X)
    interrupt(monkeypatch, 1)
    assert call("fit", tmp_path / "rows.npy", *COMMAND).exit_code == 130
    assert [file.name for file in tmp_path.iterdir()] == ["rows.npy"]
