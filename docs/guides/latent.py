"""
Explore codes
=============

What does a number of the code mean? Walk along it, move between two rows, or edit a property.
"""

# %%
# A model of images
# -----------------

from sklearn.datasets import load_digits

from isthmus import latent, plots, zoo

X, labels = load_digits(return_X_y=True)
images = X.reshape(-1, 8, 8).astype("uint8")
model = zoo.vae(8, max_epochs=60, random_state=0).fit(images)

# %%
# Which components are in use?
# ----------------------------
#
# To differ from the prior costs nats, so a variational model leaves components that it does not need at the prior. Here
# all eight are in use. Of 32, many are not:

wide = zoo.vae(32, max_epochs=60, random_state=0).fit(images)
for fitted in (model, wide):
    used = latent.active_units(fitted, images)
    print(f"{used.sum()} of {len(used)} components are in use")

# %%
# Walk along one component
# ------------------------

import matplotlib.pyplot as plt

plots.traversal(model, images[0])
plt.show()

# %%
# Between two images
# ------------------

plots.interpolation(model, images[0], images[1])
plt.show()

# %%
# Edit a property
# ---------------
#
# The difference between the mean codes of ones and zeros is a direction. Added to the code of a zero, it makes a one.

direction = latent.concept_vector(model, images[labels == 1], images[labels == 0])
zeros = images[labels == 0][:8]
edited = latent.edit(model, zeros, direction)
fig, axes = plt.subplots(2, 8, figsize=(7, 2), layout="constrained")
for line, rows in zip(axes, (zeros, edited), strict=True):
    for ax, image in zip(line, rows, strict=True):
        ax.imshow(image, cmap="gray")
        ax.set(xticks=[], yticks=[])
plt.show()

# %%
# How many numbers?
# -----------------
#
# ``suggest_n_components`` fits one net with ordered components, and looks where more of them help no longer.

print(latent.suggest_n_components(X[:500], random_state=0))

# %%
# What goes wrong
# ---------------
#
# - **Reading meaning into plain codes.** Components of an autoencoder without a prior can be rotated at will. Even with
#   ``beta`` above 1, independent components are a tendency and no guarantee.
# - **Leaving the data.** Far from all codes of rows, the decoder invents. ``doctor.examine(X, model)`` compares
#   codes with the prior.
#
# See :mod:`isthmus.latent` and :mod:`isthmus.plots`.
