"""
Texts: topics, codes, odd log lines
===================================

Texts are rows too, in two ways. As counts of words they have topics, and codes that find similar texts. As sequences of
words they have an order, which a model of sequences learns.
"""

# %%
# Texts that everybody has
# ------------------------
#
# Here the texts are the documentation of Python functions, from ten packages. The model does not see which package a
# text comes from. A text of one's own is a string in a list.

import importlib
import inspect

import numpy as np

PACKAGES = [
    "asyncio",
    "os",
    "numpy.linalg",
    "numpy.random",
    "scipy.optimize",
    "scipy.signal",
    "scipy.sparse",
]
PACKAGES += ["scipy.spatial", "sklearn.cluster", "sklearn.metrics"]


def documented(package):
    """Yield names and texts of the functions and methods of a package."""
    for name, value in inspect.getmembers(importlib.import_module(package), callable):
        methods = inspect.getmembers(value, callable) if inspect.isclass(value) else []
        for part, each in [
            (name, value),
            *((f"{name}.{method}", function) for method, function in methods),
        ]:
            text = inspect.getdoc(each) or ""
            if not part.split(".")[-1].startswith("_") and len(text.split()) > 15:
                yield part, text


found = {
    text: (package, name) for package in PACKAGES for name, text in documented(package)
}
texts, (packages, names) = list(found), map(np.array, zip(*found.values(), strict=True))
print(f"{len(texts):,} texts, for example {names[0]}: {texts[0][:60]!r}")

# %%
# Counts of words
# ---------------
#
# A vectorizer of scikit-learn counts words. Leave out those that are in nearly all texts or in very few. The result is
# a sparse matrix; isthmus reads it in batches and never makes it dense as a whole.

from sklearn.feature_extraction.text import CountVectorizer

words = CountVectorizer(
    stop_words="english", min_df=5, max_df=0.2, token_pattern="[a-z]{3,}"
)
counts = words.fit_transform(texts)
print(
    f"{counts.shape[1]:,} words, {counts.nnz / counts.shape[0]:.0f} different ones in a text"
)

# %%
# Topics
# ------
#
# A topic is a set of words that occur together. ``zoo.topic_model`` describes each text by the shares of a few topics.

from isthmus import zoo
from isthmus.metrics.topics import coherence, topic_shares, topic_words

vocabulary = words.get_feature_names_out()
model = zoo.topic_model(8, random_state=0).fit(counts)
shares = topic_shares(model, counts)
topics = topic_words(shares, counts, vocabulary, n=8)
for number, (topic, coherent) in enumerate(
    zip(topics, coherence(topics, counts, vocabulary), strict=True)
):
    print(f"{number}  {coherent:5.2f}  {' '.join(topic)}")

# %%
# The figure is the coherence: whether the words of a topic really share texts, from -1 to 1. A topic near 0 is a
# mixture that nobody can name.
#
# The shares of a text have one number for each topic, and sum to 1. Here is the main topic of each text, counted by
# package. The model never saw the packages. A report knows the words if it gets them:
# ``isthmus.report(model, counts, columns=vocabulary)``.

import matplotlib.pyplot as plt

main = shares.argmax(1)
of_packages = np.array(
    [np.bincount(main[packages == package], minlength=8) for package in PACKAGES], float
)
of_packages /= of_packages.sum(1, keepdims=True)
fig, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
image = ax.imshow(of_packages, cmap="Blues", vmin=0, vmax=1, aspect="auto")
ax.set(yticks=range(len(PACKAGES)), yticklabels=PACKAGES, xticks=range(8))
ax.set_xticklabels([f"{topic[0]}\n{topic[1]}" for topic in topics], fontsize=8)
fig.colorbar(image, label="share of texts")
plt.show()

# %%
# A package without a topic of its own, such as ``asyncio``, falls into others: eight topics are few for ten packages.
# Try more, and look at the coherence of the worst one.

# %%
# Is it good?
# -----------
#
# Compare with a simple method: non-negative matrix factorization, with as many topics. Coherence alone is not enough,
# because eight copies of one topic are coherent too. So the share of distinct words stands beside it.

from sklearn.decomposition import NMF

factors = NMF(8, init="nndsvda", random_state=0).fit(counts).components_
others = [vocabulary[np.argsort(-factor)[:8]].tolist() for factor in factors]
for name, each in {"topic model": topics, "NMF": others}.items():
    distinct = len({word for topic in each for word in topic}) / sum(map(len, each))
    coherent = coherence(each, counts, vocabulary).mean()
    print(f"{name:12} coherence {coherent:.2f}, distinct words {distinct:.0%}")

# %%
# Similar texts
# -------------
#
# Texts with similar codes have similar topics, also if they share few words. The shares are a softmax of the code.

from sklearn.neighbors import NearestNeighbors

codes = model.transform(counts)
near = NearestNeighbors(n_neighbors=5, metric="cosine").fit(codes)
for name in ("welch", "KMeans", "rename"):
    at = int(np.flatnonzero(names == name)[0])
    print(f"{name}: {', '.join(names[near.kneighbors(codes[[at]])[1][0][1:]])}")

# %%
# Odd log lines
# -------------
#
# In a log, the order of words matters, and most lines follow a few patterns. Numbers and addresses differ in each line:
# replace them by a mark, or everything looks new.

import re

rng = np.random.default_rng(0)
PATTERNS = [
    "sshd: Accepted publickey for {user} from {address} port {number}",
    "sshd: session opened for user {user}",
    "sshd: session closed for user {user}",
    "cron: job backup started by {user}",
    "cron: job backup finished in {number} seconds",
]


def write_lines(n):
    """Write lines of a healthy machine, with numbers and addresses replaced by 0."""
    users = ["ada", "grace", "linus", "edsger", "barbara"]
    drawn = zip(
        rng.choice(PATTERNS, n),
        rng.choice(users, n),
        rng.integers(1, 60000, n),
        strict=True,
    )
    lines = [
        line.format(user=user, number=number, address="10.0.0.7")
        for line, user, number in drawn
    ]
    return [mask(line) for line in lines]


def mask(line):
    """Replace numbers and addresses."""
    return re.sub(r"\d+(\.\d+)*", "0", line)


# %%
# ``Texts`` learns the vocabulary, and ``sequence_vae`` predicts each word from those before it. The detector needs no
# example of a fault.

from isthmus import AnomalyDetector
from isthmus.data import Texts

lines, healthy = write_lines(1500), write_lines(400)
net = zoo.sequence_vae(4, width=48, max_epochs=8, random_state=0)
detector = AnomalyDetector(net, fpr=0.01, calibration="split", random_state=0)
detector.fit(Texts(lines, vocabulary="word"))
print(f"alarms in 400 healthy lines: {np.sum(detector.predict(healthy) == -1)}")

# %%
# Faults are new words, known words at a new place, or a line that ends too soon:

faults = [
    "sshd: Failed password for root from 203.0.113.9 port 41022",
    "cron: job backup failed after 3 seconds",
    "cron: session opened for user ada",
    "sshd: session opened for user",
]
for line, score, decision in zip(
    faults,
    detector.score_samples(list(map(mask, faults))),
    detector.predict(list(map(mask, faults))),
    strict=True,
):
    print(f"{score:7.1f}  {'alarm' if decision == -1 else 'normal':6}  {line}")

# %%
import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(6.5, 2.6), layout="constrained")
ax.hist(detector.score_samples(healthy), bins=40, color="C0", label="healthy lines")
ax.plot(
    detector.score_samples(list(map(mask, faults))),
    [20] * len(faults),
    "o",
    color="C3",
    label="faults",
)
ax.axvline(
    detector.offset_, color="black", linestyle="--", linewidth=1, label="threshold"
)
ax.set(xlabel="score (log probability of the line)", ylabel="lines")
ax.legend(frameon=False, loc="upper left")
plt.show()

# %%
# The same model writes new texts:

print(*detector.estimator_.sample(4, random_state=0), sep="\n")

# %%
# What goes wrong
# ---------------
#
# - **Topics are lists of filler words.** Lower ``max_df``, or add stop words of your field.
# - **Two topics share their words.** There are too many topics; ask for fewer.
# - **Unknown words vanish.** ``CountVectorizer`` drops words that it has not seen, so a fault with new words looks like
#   an empty line. Use ``Texts``, which has a token for them, or ``HashingVectorizer``.
# - **Long texts as sequences.** A recurrent net reads word by word. Above some hundred words, use counts.
# - **Many equal lines.** For lines that repeat exactly, the default detector of tables measures distances that are
#   mostly 0. Give it a net, as here.
#
# See :func:`isthmus.zoo.topic_model`, :func:`isthmus.zoo.mult_vae`, :func:`isthmus.zoo.sequence_vae`,
# :class:`isthmus.data.Texts`, :func:`isthmus.metrics.topics.topic_shares`, :func:`isthmus.metrics.topics.topic_words`
# and :class:`isthmus.AnomalyDetector`.
