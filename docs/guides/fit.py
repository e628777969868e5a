
import os

import numpy as np

from isthmus import Autoencoder, save

rng = np.random.default_rng(0)
rows = rng.normal(size=(4000, 3)) @ rng.normal(size=(3, 20)) + 0.1 * rng.normal(size=(4000, 20))
model = Autoencoder(3, max_epochs=5, batch_size=500, device="cpu", random_state=0).fit(rows)
if os.environ.get("RANK", "0") == "0":  # all processes have the same model: one of them writes it
    save(model, f"from-{os.environ.get('WORLD_SIZE', '1')}.safetensors")
