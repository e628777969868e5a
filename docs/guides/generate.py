"""
Generate new rows
=================

Software is tested with data that must not be shared, and rare cases need more examples. A generator learns the rows of
a table and draws new ones, with the same columns.
"""

# %%
# A table
# -------
#
# Customers with an age, a city, an amount and a membership. With your own table, start at the next heading.

import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
n = 800
age = rng.integers(18, 90, n)
city = rng.choice(["Bergen", "Oslo", "Tromso"], n, p=[0.5, 0.3, 0.2])
spent = rng.lognormal(2 + age / 60 + (city == "Oslo"), 0.4)
people = pd.DataFrame(
    {
        "age": age,
        "city": city,
        "spent": spent.round(2),
        "member": rng.random(n) < age / 100,
    }
)

# %%
# Fit and sample
# --------------
#
# Some rows are held out, to judge the new ones.

from isthmus import zoo

train, held_out = people[:600], people[600:]
generator = zoo.tabular_vae(8, max_epochs=60, random_state=0).fit(train)
new = generator.sample(600, random_state=0)
print(new.head())

# %%
# ``given`` fixes columns:

print(generator.sample(3, given={"city": "Oslo"}, random_state=0))

# %%
# On the command line:
#
# .. code-block:: console
#
#    $ isthmus fit people.csv --model tabular_vae --out people.safetensors
#    $ isthmus sample people.safetensors -n 1000 --given city=Oslo --out new.csv

# %%
# Is it good?
# -----------
#
# ``synthetic_quality`` compares new rows with the training rows: each column, each pair of columns, whether a
# classifier can tell new rows from real ones, and whether new rows are copies. The second number is that of held-out
# real rows, which is what a perfect generator reaches. A new row may be nearer to the training rows than a held-out one
# is in half of the cases; many more would mean that the generator repeats what it saw.

from isthmus.metrics import synthetic_quality

print(synthetic_quality(train, new, held_out, random_state=0))

# %%
import matplotlib.pyplot as plt

fig, axes = plt.subplots(
    1, 2, figsize=(7, 3), sharex=True, sharey=True, layout="constrained"
)
for ax, (name, rows) in zip(axes, {"real": train, "new": new}.items(), strict=True):
    for place in ("Bergen", "Oslo", "Tromso"):
        chosen = rows[rows["city"] == place]
        ax.plot(chosen["age"], chosen["spent"], "o", markersize=2, label=place)
    ax.set(title=name, xlabel="age", ylabel="spent", yscale="log")
axes[1].legend(frameon=False, markerscale=3, loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %%
# What goes wrong
# ---------------
#
# - **New rows are taken for anonymous.** A generator that saw few rows can repeat them. ``synthetic_quality`` compares
#   distances to training rows with those of held-out rows; this is a check and no proof of privacy.
# - **Rare categories are too rare or too frequent.** The line of the column shows it: its fidelity is below that of
#   held-out rows. Draw with ``given``, or with labels: ``zoo.conditional_vae``.
# - **Impossible rows.** Rules between columns that hold in all training rows are kept. A sum of columns is not such
#   a rule: compute it afterwards.
#
# See :func:`isthmus.zoo.tabular_vae`, :meth:`isthmus.Autoencoder.sample` and :func:`isthmus.metrics.synthetic_quality`.
