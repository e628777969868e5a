"""Other libraries of the speed benchmark: one function each, which fits a net by public calls of the library.

All build the same net: ReLU after every hidden layer and after the code, a linear output, squared error, Adam at 1e-3,
batches of 256. The code has a ReLU because scikit-learn and PyOD cannot omit it.

Each function takes the widths from the data to the code, the rows and the number of epochs. Libraries are imported
where they are used, and each process runs one of them, because their thread pools slow each other down.
"""

import os
import time
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from peers_common import (
    BATCH,
    N_STEPS,
    OURS,
    RATE,
    Fitted,
    Marks,
    Peer,
    device,
    disable_gradient,
    make_error,
    split_calls,
    stack,
    torch_device,
    vary_batch_size,
)


def isthmus_model(widths: tuple[int, ...], x: np.ndarray, epochs: int, **options: Any) -> Any:
    from isthmus import Autoencoder
    from isthmus.backbones import MLP
    from isthmus.bottlenecks import Deterministic
    from isthmus.likelihoods import Gaussian

    return Autoencoder(
        widths[-1],
        backbone=MLP(hidden=widths[1:-1], activation="relu"),
        bottleneck=Deterministic(activation="relu"),
        likelihood=Gaussian(scale="shared", scaling="none"),
        optimizer="adam",
        schedule="constant",
        learning_rate=RATE,
        batch_size=BATCH,
        max_epochs=epochs,
        validation_fraction=0.0,
        device=device(),
        random_state=0,
        **options,
    ).fit(x)


def isthmus(widths: tuple[int, ...], x: np.ndarray, epochs: int, precision: str = "auto") -> Fitted:
    marks = Marks()
    model = isthmus_model(widths, x, epochs, precision=precision, callbacks=(marks,))
    return Fitted(
        marks.seconds, make_error(model.reconstruct), {"score_samples": model.score_samples}, {"": model.transform}
    )


def keras(widths: tuple[int, ...], x: np.ndarray, epochs: int, backend: str, n_steps: int = 1) -> Fitted:
    os.environ["KERAS_BACKEND"] = backend
    import keras

    keras.utils.set_random_seed(0)
    dense = keras.layers.Dense
    encoder = keras.Sequential([keras.Input(widths[:1]), *(dense(n, activation="relu") for n in widths[1:])])
    back = [dense(n, activation="relu") for n in widths[-2:0:-1]]
    net = keras.Sequential([encoder, *back, dense(widths[0])])
    net.compile(optimizer=keras.optimizers.Adam(RATE), loss="mse", steps_per_execution=n_steps)
    marks = Marks()
    timer = keras.callbacks.LambdaCallback(on_epoch_end=marks)
    net.fit(x, x, epochs=epochs, batch_size=BATCH, verbose=0, callbacks=[timer])
    predict, encode = (partial(model.predict, verbose=0) for model in (net, encoder))
    return Fitted(marks.seconds, make_error(predict), vary_batch_size(predict), vary_batch_size(encode))


def skorch(widths: tuple[int, ...], x: np.ndarray, epochs: int) -> Fitted:
    import torch
    from skorch import NeuralNet

    net = NeuralNet(
        torch.nn.Sequential(stack(widths), stack(widths[::-1], linear_end=True)),
        criterion=torch.nn.MSELoss,
        optimizer=torch.optim.Adam,
        lr=RATE,
        batch_size=BATCH,
        max_epochs=epochs,
        iterator_train__shuffle=True,
        train_split=None,
        device=torch_device(),
        verbose=0,
    ).fit(x, x)

    def predict(x: np.ndarray, batch_size: int) -> np.ndarray:
        return net.set_params(batch_size=batch_size).predict(x)

    return Fitted(net.history[:, "dur"], make_error(net.predict), vary_batch_size(predict), {})


def sklearn(widths: tuple[int, ...], x: np.ndarray, epochs: int) -> Fitted:
    """Time epochs by the difference of two fits, because there is no hook for epochs."""
    from sklearn.neural_network import MLPRegressor

    def fitted(epochs: int) -> tuple[Any, float]:
        net = MLPRegressor(alpha=0.0, batch_size=BATCH, learning_rate_init=RATE, random_state=0)
        net.set_params(hidden_layer_sizes=(*widths[1:], *widths[-2:0:-1]), max_iter=epochs, n_iter_no_change=epochs + 1)
        started = time.perf_counter()
        return net.fit(x, x), time.perf_counter() - started

    net, first = fitted(1)
    seconds = [first]
    if epochs > 1:
        net, all_of_them = fitted(epochs)
        seconds += [(all_of_them - first) / (epochs - 1)] * (epochs - 1)
    return Fitted(seconds, make_error(net.predict), {"predict": net.predict}, {})


def pyod(widths: tuple[int, ...], x: np.ndarray, epochs: int) -> Fitted:
    from pyod.models.auto_encoder import AutoEncoder

    class Timed(AutoEncoder):
        def epoch_update(self) -> None:
            marks()

    net = Timed(
        preprocessing=False,
        lr=RATE,
        epoch_num=epochs,
        batch_size=BATCH,
        optimizer_params={},
        hidden_neuron_list=list(widths[1:]),
        batch_norm=False,
        dropout_rate=0.0,
        verbose=0,
    )
    marks = Marks()
    net.fit(x)
    score = net.decision_function
    return Fitted(marks.seconds, lambda x: float(np.mean(score(x) ** 2) / x.shape[1]), vary_batch_size(score), {})


def pythae(widths: tuple[int, ...], x: np.ndarray, epochs: int) -> Fitted:
    import torch
    from pythae.data.datasets import BaseDataset
    from pythae.trainers import BaseTrainer, BaseTrainerConfig
    from pythae.trainers.training_callbacks import TrainingCallback

    class Timer(TrainingCallback):
        def on_epoch_end(self, *_: Any, **__: Any) -> None:
            marks()

    model = pythae_model(widths)
    rows = BaseDataset(torch.from_numpy(x), torch.zeros(len(x)))
    with TemporaryDirectory() as folder:
        config = BaseTrainerConfig(
            output_dir=folder, num_epochs=epochs, learning_rate=RATE, per_device_train_batch_size=BATCH
        )
        trainer = BaseTrainer(model, rows, training_config=config, callbacks=[Timer()])
        marks = Marks()
        trainer.train()
    reconstruct, embed = (disable_gradient(call) for call in (model.reconstruct, model.embed))
    return Fitted(marks.seconds, make_error(reconstruct), split_calls(reconstruct), split_calls(embed))


def pythae_model(widths: tuple[int, ...]) -> Any:
    from pythae.models import AE, AEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = stack(widths)

        def forward(self, x: Any) -> Any:
            return ModelOutput(embedding=self.layers(x))

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = stack(widths[::-1], linear_end=True)

        def forward(self, z: Any) -> Any:
            return ModelOutput(reconstruction=self.layers(z))

    return AE(AEConfig(input_dim=widths[:1], latent_dim=widths[-1]), Encoder(), Decoder())


def onnxruntime(widths: tuple[int, ...], x: np.ndarray, epochs: int) -> Fitted:
    from onnx_graph import make_encoder, make_scorer, run

    model = isthmus_model(widths, x, epochs)
    score, encode = (partial(run, make(model)) for make in (make_scorer, make_encoder))
    some = x[:100]
    np.testing.assert_allclose(score(some), model.score_samples(some), rtol=1e-3)
    np.testing.assert_allclose(encode(some), model.transform(some), rtol=1e-3, atol=1e-4)
    return Fitted([], make_error(model.reconstruct), split_calls(score), split_calls(encode))


PEERS = {
    "isthmus": Peer(isthmus, OURS),
    "isthmus-float32": Peer(partial(isthmus, precision="float32"), OURS),
    "keras-jax": Peer(partial(keras, backend="jax"), ("keras", "jax")),
    "keras-jax-steps": Peer(partial(keras, backend="jax", n_steps=N_STEPS), ("keras", "jax")),
    "keras-torch": Peer(partial(keras, backend="torch"), ("keras", "torch")),
    "skorch": Peer(skorch, ("torch", "skorch")),
    "sklearn": Peer(sklearn, ("sklearn.neural_network",)),
    "pyod": Peer(pyod, ("torch", "pyod.models.auto_encoder")),
    "pythae": Peer(pythae, ("torch", "pythae.trainers")),
    "onnxruntime": Peer(onnxruntime, (*OURS, "onnxruntime")),
}
