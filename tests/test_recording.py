"""Training on accelerators, as far as a processor shows it: resident rows, recorded steps, the choice of the device."""

import threading
import warnings
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import DEVICE_RULE, rows_for, small
from tape import record
from torch import nn

from isthmus import Autoencoder, BaggedAutoencoders, Checkpoint, zoo
from isthmus.backbones import MLP
from isthmus.data import Windows, as_source, transfer
from isthmus.data.bootstrap import make_bootstrap
from isthmus.training import choose_device, hardware, loop, recording
from isthmus.training.inputs import ResidentInputs, StreamedInputs, make_inputs

RNG = np.random.default_rng(0)
X = RNG.normal(size=(100, 2)) @ RNG.normal(size=(2, 6)) + 0.1 * RNG.normal(size=(100, 6))


def gather(source, settings, device, shard):
    return ResidentInputs(source, settings, device)


@pytest.fixture
def on_device(monkeypatch):
    """Return a function that calls another as on an accelerator: with resident rows, and with or without recording."""

    def call(function, recorded, waits=()):
        made = []
        with monkeypatch.context() as patch:
            patch.setattr(loop, "make_inputs", gather)
            if recorded:
                patch.setattr(recording, "RECORDING", ("cpu",))
                patch.setattr(recording, "count_waits", lambda: nullcontext(waits))
                patch.setattr(recording, "record", lambda step: made.append(record(step)) or made[-1])
            result = function()
        assert bool(made) == (recorded and not waits)
        return result

    return call


def fit(name, rows=X, **options):
    options = {"device": "cpu", "batch_size": 16, "max_epochs": 3, "validation_fraction": 0.2, **options}
    return small(name, **options).fit(rows, np.arange(len(rows)) % 3 if "conditional" in name else None)


def figures(net):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in net.history_]


def assert_equal(net, other):
    """Two fits are the same to the last bit."""
    assert figures(net) == figures(other)
    for name, value in net.module_.state_dict().items():
        assert torch.equal(value, other.module_.state_dict()[name]), name


# Recorded steps


@pytest.fixture
def without_onednn():
    """Compute without oneDNN, whose LSTM has results that are no tensors: the emulation cannot replay it."""
    torch._C._set_mkldnn_enabled(False)
    yield
    torch._C._set_mkldnn_enabled(True)


@pytest.mark.usefixtures("without_onednn")
@pytest.mark.parametrize("name", zoo.__all__)
def test_every_variant_can_be_recorded_and_replayed(name, on_device):
    """No operation waits for the device, and no state is left to Python: ``tape.record`` sees both."""
    replayed, plain = (on_device(lambda: fit(name, rows_for(name, 60)), recorded) for recorded in (True, False))
    assert_equal(replayed, plain)


@pytest.mark.parametrize("name", ["vae", "denoising", "imputer"])
def test_rows_kept_on_the_device_give_the_losses_of_streamed_rows(name, on_device):
    """The learning rate is a number of the device, in float32: this is the only difference."""
    assert figures(on_device(lambda: fit(name), recorded=True)) == [
        pytest.approx(row, rel=1e-4, abs=1e-6) for row in figures(fit(name))
    ]


def make_frame():
    table = pd.DataFrame(X, columns=list("abcdef"))
    table["kind"] = np.where(X[:, 0] > 0, "x", "y")
    table["day"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(RNG.integers(0, 99, len(X)), "D")
    return table.mask(RNG.random(table.shape) < 0.1)


def net(**options):
    return Autoencoder(
        2, **{"backbone": MLP((8,)), "batch_size": 16, "max_epochs": 3, "random_state": 0, "device": "cpu", **options}
    )


FRAME = make_frame()
WEIGHTS = np.arange(1.0, len(X) + 1)
IMAGES = (RNG.random((40, 12, 12)) * 255).astype(np.uint8)
CASES = {
    "a frame with missing values": lambda: net().fit(FRAME),
    "weights": lambda: net().fit(X, sample_weight=WEIGHTS),
    "batch normalization and dropout": lambda: net(backbone=MLP((8,), norm="batch", dropout=0.2)).fit(X),
    "trimmed losses": lambda: net(trim=0.1).fit(X),
    "images": lambda: net(backbone="conv").fit(IMAGES),
    "bags": lambda: BaggedAutoencoders(net(), n_estimators=4, random_state=0).fit(X),
    "one epoch": lambda: net().partial_fit(X).partial_fit(X),
}


@pytest.mark.parametrize("case", CASES)
def test_other_data_and_parts_can_be_recorded_and_replayed(case, on_device):
    assert_equal(on_device(CASES[case], recorded=True), on_device(CASES[case], recorded=False))


class Counting(MLP):
    """Has a state that a recording cannot see."""

    n_calls = 0

    def encode(self, u):
        self.n_calls += 1
        return super().encode(u) * (1 + self.n_calls)


def test_the_emulation_finds_state_that_a_recording_cannot_see(on_device):
    replayed, plain = (on_device(lambda: net(backbone=Counting((8,))).fit(X), recorded) for recorded in (True, False))
    with pytest.raises(AssertionError):
        assert_equal(replayed, plain)


class Waiting(MLP):
    """Reads a number of the device in each step."""

    def encode(self, u):
        return super().encode(u) * (1.0 if u.sum() > 0 else 2.0)


def test_the_emulation_finds_operations_that_wait_for_the_device(on_device):
    with pytest.raises(AssertionError, match="_local_scalar_dense|is_nonzero"):
        on_device(lambda: net(backbone=Waiting((8,))).fit(X), recorded=True)


def test_a_killed_fit_resumes_to_the_same_weights(on_device, tmp_path):
    class Killed(Exception):
        pass

    def kill(state):
        if state.epoch == 2:
            raise Killed

    def fit(*callbacks):
        return net(backbone=MLP((8,), dropout=0.2), callbacks=callbacks).fit(X)

    with pytest.raises(Killed):
        on_device(lambda: fit(Checkpoint(tmp_path, every=0), kill), recorded=False)
    resumed = on_device(lambda: fit(Checkpoint(tmp_path, every=0)), recorded=True)
    assert_equal(resumed, on_device(fit, recorded=True))


# The rule


def find(source=X, optimizer="adamw", **options):
    estimator = net(optimizer=optimizer, **options)
    problem = estimator.prepare(source)
    inputs = ResidentInputs(problem.rows, problem.settings, torch.device("cpu"))
    return recording.find_obstacle(problem.state, inputs, problem.settings)


def test_steps_that_cannot_be_recorded_have_a_reason(monkeypatch):
    assert find() == "device 'cpu' cannot record"
    monkeypatch.setattr(recording, "RECORDING", ("cpu",))
    assert find() == ""
    assert find(compile=True) == "the model is compiled"
    assert find(optimizer="sgd") == "ClippedSGD runs on the processor"
    assert find(corruption=lambda x: x) == "the corruption is a function"


def test_parts_that_wait_for_the_device_are_trained_without_recording(on_device, capsys):
    trained = on_device(lambda: net(verbose=2).fit(X), recorded=True, waits=["a synchronizing operation"])
    assert capsys.readouterr().out.startswith(
        "fit on cpu, steps not recorded: a part waits for results of the device within a step\n"
    )
    assert_equal(trained, on_device(lambda: net().fit(X), recorded=False))


def test_the_display_says_where_and_how_steps_run(on_device, capsys):
    on_device(lambda: net(verbose=2).fit(X), recorded=True)
    assert capsys.readouterr().out.startswith("fit on cpu, steps recorded\n")
    net(verbose=1).fit(X)
    assert "fit on cpu" in capsys.readouterr().out


# Copies to the device


@pytest.mark.parametrize("shard", [(0, 1), (1, 3)])
@pytest.mark.parametrize("seed", [None, 5])
def test_a_plan_gives_the_batches_of_the_source(seed, shard):
    source = as_source(X).take(np.arange(90)[::-1].copy()).with_weights(WEIGHTS[:90])
    whole = next(iter(source.batches(100)))
    positions, bounds = source.plan(32, seed, shard)
    for (start, stop), batch in zip(bounds, source.batches(32, seed, shard), strict=True):
        assert torch.equal(whole.x[positions[start:stop]], batch.x)
        assert torch.equal(whole.weight[positions[start:stop]], batch.weight)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("rows", "n_bags", "max_samples"), [(X, 3, 0.6), (X[:21], 5, 0.8), (Windows(np.arange(90.0), 10), 6, 0.5)]
)
def test_a_plan_of_bags_gives_their_batches(rows, n_bags, max_samples, seed):
    """Some of the folds that are left out are larger than others, but all bags have the same size."""
    source = make_bootstrap(as_source(rows), n_bags, max_samples, seed)
    whole = torch.cat([batch.x for batch in source.batches(1000)])
    positions, bounds = source.plan(20, 5)
    assert sorted(positions.tolist()) == [*range(len(source))]
    for (start, stop), batch in zip(bounds, source.batches(20, 5), strict=True):
        assert torch.equal(whole[positions[start:stop]], batch.x)


def test_only_waits_of_the_own_thread_count_and_other_warnings_are_passed_on(monkeypatch):
    wait = "called a synchronizing CUDA operation (Triggered internally)"
    monkeypatch.setattr(torch.cuda, "get_sync_debug_mode", lambda: 0)
    monkeypatch.setattr(
        torch.cuda,
        "set_sync_debug_mode",
        lambda mode: warnings.warn(recording.PROTOTYPE, stacklevel=1) if mode else None,
    )

    def watch():
        with recording.count_waits() as waits:
            warnings.warn(f"{wait} here", stacklevel=1)
            thread = threading.Thread(target=warnings.warn, args=(f"{wait} there",))
            thread.start()
            thread.join()
            warnings.warn("another", stacklevel=1)
        return waits

    with pytest.warns(UserWarning, match="another") as told:
        waits = watch()
    assert waits == [f"{wait} here"]
    assert [str(each.message) for each in told] == ["another"]


def test_rows_are_copied_in_blocks(monkeypatch):
    monkeypatch.setattr(transfer, "COPIED_BYTES", 7 * 4 * 5)
    source = as_source(X).with_weights(WEIGHTS)
    copied, whole = transfer.copy_rows(source, torch.device("cpu")), next(iter(source.batches(100)))
    assert torch.equal(copied.x, whole.x)
    assert torch.equal(copied.weight, whole.weight)
    assert copied.y is None


def test_rows_stay_on_a_device_that_has_room_for_them(monkeypatch):
    source, device = as_source(X), torch.device("meta")
    for free, kind in ((2 * X.nbytes, ResidentInputs), (2 * X.nbytes - 1, StreamedInputs)):
        monkeypatch.setattr(transfer, "free_memory", lambda device, free=free: free)
        settings = net().prepare(X).settings
        assert isinstance(make_inputs(source, settings, device, (0, 1)), kind)
        assert isinstance(make_inputs(source, settings, device, (0, 2)), StreamedInputs)


# The choice of the device


@pytest.fixture
def accelerator(monkeypatch):
    """Let torch claim an accelerator of a kind."""

    def claim(kind):
        for name, value in DEVICE_RULE.items():
            monkeypatch.setattr(hardware, name, value)
        monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
        monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device(kind))

    return claim


def built(width, dtype=torch.float32):
    return nn.Sequential(nn.Linear(784, width), nn.Linear(width, 784)).to(dtype)


def test_small_nets_stay_on_the_processor(accelerator):
    accelerator("cuda")
    assert choose_device("auto", built(2), 256, 3_500).type == "cpu"
    assert choose_device("auto", built(512), 256, 3_500).type == "cuda"
    assert choose_device("auto", built(512), 256, 100).type == "cpu"
    assert choose_device("auto", built(2), 256, 100_000).type == "cuda"
    assert choose_device("auto", built(2), 256, 100_000, recorded=False).type == "cpu"


@pytest.mark.parametrize("kind", ["xpu", "mps"])
def test_other_accelerators_are_taken_too(accelerator, kind):
    accelerator(kind)
    assert choose_device("auto", built(512)).type == kind


def test_models_with_float64_stay_off_devices_without_it(accelerator):
    accelerator("mps")
    assert choose_device("auto", built(512, torch.float64)).type == "cpu"


def test_unknown_accelerators_are_not_taken(accelerator):
    accelerator("hpu")
    assert choose_device("auto", built(512)).type == "cpu"
