"""
Tune a model
============

The defaults suit many data sets, and not all. ``tune`` searches for better values, and tells whether they really are
better. The search needs Optuna: ``pip install 'isthmus[tuning]'``.
"""

# %%
# First: is it worth it?
# ----------------------
#
# Ask these questions before a search.
#
# - **Is the fit complete?** ``plots.history`` shows a curve that still falls. Then raise ``max_epochs``; there is
#   nothing to search.
# - **Is the kind of model right?** A search finds a better learning rate. It does not turn a model of numbers into one
#   of images. Ask ``suggest`` first, see :doc:`../start/which_model`.
# - **Are there enough rows?** A fifth of the rows judges the trials. With 200 rows, that is 40, and most differences
#   are chance.
#
# The table has 30 measurements of 569 tumours. The curve of its model has nearly stopped falling: more epochs would
# gain little.

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer

from isthmus import plots, zoo

table = load_breast_cancer(as_frame=True).data
train, new = table[::2], table[1::2]
model = zoo.vae(8, max_epochs=60, random_state=0)
plots.history(model.fit(train))
plt.show()

# %%
# The space
# ---------
#
# ``search_space`` proposes values around the defaults of this model for these rows; ``code_size=True`` includes the
# size of the code. It is a dict: remove what you know, add what you suspect. The command line prints the same lines,
# and ``--space my.toml`` reads them from a file.

from isthmus.tuning import Range, search_space

space = search_space(model, train, code_size=True)
del space["weight_decay"]
space["bottleneck__beta"] = Range(0.25, 4.0, log=True)
print(space)

# %%
# Search
# ------
#
# The first trial is the estimator as it is. Where the bound judges, the next one weighs the divergence as the bound
# does. Three others change one value each. Then a Gaussian process chooses, and bad trials are stopped early.
# Here the search is short; without ``n_trials`` and ``time`` it ends when nothing is gained any more.

from isthmus.tuning import tune

result = tune(model, train, space=space, n_trials=10, random_state=0)
print(result)

# %%
# ``result.estimator`` has the best values, and is fitted to all rows.
#
# On the command line:
#
# .. code-block:: console
#
#    $ isthmus tune table.csv --model vae --set n_components=8 --time 10m --study study.db --out best.safetensors
#
# With ``--study`` (in Python ``storage``) the same call continues a search that was killed.
#
# To use several cores, start the command several times, each with another ``--out``:
#
# .. code-block:: console
#
#    $ export OMP_NUM_THREADS=1
#    $ isthmus tune table.csv --model vae --time 10m --study study.db --out first.safetensors &
#    $ isthmus tune table.csv --model vae --time 10m --study study.db --out second.safetensors
#
# The processes take trials from one study, and may start at the same time or later. Each ends with a model. A process
# that was killed does no harm: another one repeats its trial. The file must be on a local disk.
#
# A series is tuned with its column of times, and the result is a detector:
#
# .. code-block:: console
#
#    $ isthmus tune sensors.csv --series time --time 10m --out best.safetensors
#    $ isthmus detect later.csv --detector best.safetensors
#
# In Python, ``tune`` also takes detectors, and :class:`isthmus.SeriesImputer`. Hidden gaps judge the nets of an
# imputer: an error of 1 is about that of linear interpolation.

# %%
# What is split off
# -----------------
#
# Rows are split three ways, so that no row answers two questions. A fifth of the rows judges the trials. Of the rest,
# each fit holds out a part for early stopping. With ``AnomalyDetector``, known anomalies take no part; the last windows
# of a series judge. Still, the best of many trials is the best partly by chance.

# %%
# Is the gain real?
# -----------------
#
# The printed gain allows for this: parameters are chosen on resamples of the judged rows, and judged on the rows that
# are not in the resample. If its interval contains 0, the judged rows do not show a gain: keep the default, or judge on
# more rows. Here 57 rows judge, so the interval is wide.

fig, axes = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
plots.trials(result, ax=axes[0])
plots.importance(result, ax=axes[1])
plt.show()

# %%
# The left picture shows trials with their standard errors. All trials are judged on the same rows, so differences are
# surer than the bars suggest: the interval of the gain takes this into account. The right picture shows which
# parameters made a difference; leave the others at their defaults.
#
# The surest test are rows that the search never saw, if there are enough of them. Here there are 284, five times as
# many as those that judged, so this interval is much narrower:

gains = result.estimator.bounds(new) - model.bounds(new)
margin = 1.96 * gains.std() / len(gains) ** 0.5
print(f"gain: {gains.mean():.1f} nats per row, 95 % interval ", end="")
print(f"{gains.mean() - margin:.1f} to {gains.mean() + margin:.1f}")

# %%
# With scikit-learn
# -----------------
#
# Every parameter has a name, also those of parts, such as ``bottleneck__beta``. So the searches of scikit-learn work,
# without Optuna. Successive halving gives few epochs to many settings, and many epochs to the best:

from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingRandomSearchCV

grid = {"learning_rate": [1e-3, 3e-3, 1e-2], "bottleneck__beta": [0.5, 1.0, 2.0]}
search = HalvingRandomSearchCV(
    model,
    grid,
    resource="max_epochs",
    min_resources=4,
    max_resources=12,
    factor=3,
    cv=3,
    random_state=0,
).fit(train)
print(search.best_params_)

# %%
# It maximizes ``score``, the bound on the log likelihood. Cross-validation is a fair judge for few rows, and costs one
# fit for each fold. From scikit-learn 1.9 on, ``search.set_callbacks(ProgressBar())`` shows how far it is, with the
# class of ``sklearn.callback``.

# %%
# What goes wrong
# ---------------
#
# - **The error as the judge of sizes.** Larger codes rebuild better, so the largest wins. ``tune`` therefore searches
#   ``n_components`` only if trials are judged by the bound. For plain codes, see :doc:`choose_size`.
# - **The likelihood in the space.** Bounds of different likelihoods have different units: densities and probabilities
#   cannot be compared. ``tune`` refuses this.
# - **The measure is not what you need.** A better bound need not mean better alarms. Give your own ``measure``: a
#   function of a fitted estimator, rows and labels, with one number per row.
# - **The judged rows resemble the training rows.** Rows of one patient or one day on both sides make every trial look
#   good. Split them by hand first: :func:`isthmus.preparing.prepare` with ``split_by="grouped"``.
# - **Trials failed.** ``result.trials`` has the message of each, in ``error``.
#
# See :func:`isthmus.tuning.tune`, :func:`isthmus.tuning.search_space`, :class:`isthmus.tuning.TuningResult`,
# :func:`isthmus.plots.trials` and :func:`isthmus.plots.importance`.
