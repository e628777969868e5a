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
# A variational model pays for each component that differs from the prior, the standard normal distribution. A component
# that it does not need stays equal to the prior: it is the same for all rows. Here all eight are in use. Of 32, many
# are not:

wide = zoo.vae(32, max_epochs=60, random_state=0).fit(images)
for fitted in (model, wide):
    used = latent.active_units(fitted, images)
    print(f"{used.sum()} of {len(used)} components are in use")

# %%
# Walk along one component
# ------------------------
#
# Each row of pictures changes one number of the code of the same image, from -3 to 3 standard deviations of all codes.

import matplotlib.pyplot as plt

plots.traversal(model, images[0])
plt.show()

# %%
# Between two images
# ------------------
#
# Codes on the line between two codes decode to images between the two.

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
for line, name, rows in zip(axes, ("zeros", "edited"), (zeros, edited), strict=True):
    for ax, image in zip(line, rows, strict=True):
        ax.imshow(image, cmap="gray")
        ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(name)
plt.show()

# %%
# How many numbers?
# -----------------
#
# ``suggest_n_components`` fits one net with ordered components, and finds the size from which more components do not
# help; see :doc:`choose_size`.

print(latent.suggest_n_components(X[:500], random_state=0))

# %%
# What goes wrong
# ---------------
#
# - **Reading meaning into plain codes.** Components of an autoencoder without a prior can be rotated at will. Even with
#   ``beta`` above 1, independent components are a tendency and no guarantee.
# - **Leaving the data.** Far from all codes of rows, the decoder was never trained, and its images mean nothing, as at
#   the ends of some lines above. ``doctor.examine(X, model)`` compares codes with the prior.
# - **A direction changes more than the property.** Ones are also thinner than zeros. Take the two groups from rows that
#   differ in the property only.
#
# See :mod:`isthmus.latent`, :func:`isthmus.latent.active_units`, :func:`isthmus.latent.concept_vector`,
# :func:`isthmus.latent.search` and :mod:`isthmus.plots`.
