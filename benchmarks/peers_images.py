"""Speed of convolutional nets: isthmus, Keras and PyTorch loops, with the same net and images.

3 x 3 convolutions of stride 2 with ReLU, a linear code, and the mirror image of both; squared error, Adam at 1e-3,
batches of 256. Each function takes the widths (channels of each convolution, then the code), the rows (n, 784) and the
number of epochs, as in ``peers.py``.
"""

import os
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from peers_common import BATCH, N_STEPS, OURS, RATE, Fitted, Marks, Peer, device, make_error
from peers_torch import LOOPS, Loop, fit_net

SIDE = 28
Widths = tuple[int, ...]


def isthmus(widths: Widths, x: np.ndarray, epochs: int) -> Fitted:
    from isthmus import Autoencoder
    from isthmus.backbones import Conv
    from isthmus.likelihoods import Gaussian

    marks = Marks()
    model = Autoencoder(
        widths[-1],
        backbone=Conv(widths[:-1], activation="relu"),
        likelihood=Gaussian(scale="shared", scaling="none"),
        optimizer="adam",
        schedule="constant",
        learning_rate=RATE,
        batch_size=BATCH,
        max_epochs=epochs,
        validation_fraction=0.0,
        random_state=0,
        device=device(),
        callbacks=(marks,),
    ).fit(to_images(x))
    return Fitted(marks.seconds, make_error(lambda x: model.reconstruct(to_images(x)).reshape(x.shape)), {}, {})


def keras(widths: Widths, x: np.ndarray, epochs: int, backend: str, n_steps: int = 1) -> Fitted:
    os.environ["KERAS_BACKEND"] = backend
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    *channels, code = widths
    small = compute_side(len(channels))
    images = to_images(x)
    convolution = partial(layers.Conv2D, kernel_size=3, strides=2, padding="same", activation="relu")
    transposed = partial(layers.Conv2DTranspose, kernel_size=3, strides=2, padding="same")
    net = keras.Sequential(
        [
            keras.Input(images.shape[1:]),
            *(convolution(width) for width in channels),
            layers.Flatten(),
            layers.Dense(code),
            layers.Dense(small**2 * channels[-1], activation="relu"),
            layers.Reshape((small, small, channels[-1])),
            *(transposed(width, activation="relu") for width in channels[-2::-1]),
            transposed(1),
        ]
    )
    net.compile(optimizer=keras.optimizers.Adam(RATE), loss="mse", steps_per_execution=n_steps)
    marks = Marks()
    timer = keras.callbacks.LambdaCallback(on_epoch_end=marks)
    net.fit(images, images, epochs=epochs, batch_size=BATCH, verbose=0, callbacks=[timer])
    return Fitted(marks.seconds, make_error(lambda x: net.predict(to_images(x), verbose=0).reshape(x.shape)), {}, {})


def torch(widths: Widths, x: np.ndarray, epochs: int, loop: Loop) -> Fitted:
    net = torch_net(widths)
    return fit_net(net, net[: 2 * len(widths)], (1, SIDE, SIDE), x, epochs, loop)


def torch_net(widths: Widths) -> Any:
    from torch import nn

    *channels, code = widths
    small = compute_side(len(channels))
    inner = small**2 * channels[-1]
    down = [
        layer for a, b in pairwise((1, *channels)) for layer in (nn.Conv2d(a, b, 3, stride=2, padding=1), nn.ReLU())
    ]
    up = [
        layer
        for a, b in pairwise((*channels[::-1], 1))
        for layer in (nn.ReLU(), nn.ConvTranspose2d(a, b, 3, stride=2, padding=1, output_padding=1))
    ]
    middle = [
        nn.Flatten(),
        nn.Linear(inner, code),
        nn.Linear(code, inner),
        nn.Unflatten(1, (channels[-1], small, small)),
    ]
    return nn.Sequential(*down, *middle, *up)


def to_images(x: np.ndarray) -> np.ndarray:
    return x.reshape(-1, SIDE, SIDE, 1)


def compute_side(n_stages: int) -> int:
    """Return height and width after convolutions of stride 2."""
    return SIDE // 2**n_stages


IMAGE_PEERS = {
    "isthmus": Peer(isthmus, OURS),
    "keras-jax": Peer(partial(keras, backend="jax"), ("keras", "jax")),
    "keras-jax-steps": Peer(partial(keras, backend="jax", n_steps=N_STEPS), ("keras", "jax")),
    "keras-torch": Peer(partial(keras, backend="torch"), ("keras", "torch")),
    **{name: Peer(partial(torch, loop=loop), ("torch",)) for name, loop in LOOPS.items()},
}
