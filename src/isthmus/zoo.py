"""Well-known autoencoders by name: short functions that compose an ``Autoencoder``.

The first parameter is ``n_components``. Other parameters are keywords; those that a function does not define are
parameters of ``Autoencoder``. Parts are given as instances, so that ``set_params`` and hyperparameter searches can set
their parameters: ``vae(8).set_params(bottleneck__beta=4.0)``.
"""

from typing import Any

from sklearn.mixture import GaussianMixture

from isthmus.autoencoder import Autoencoder
from isthmus.backbones import MLP, TCN, Conv, Linear, ProdLDA, Recurrent
from isthmus.bottlenecks import Deterministic, Gaussian, Ladder, TopK, VectorQuantized
from isthmus.corruptions import GaussianNoise, Masking, Zeroing
from isthmus.likelihoods import Gaussian as GaussianLikelihood
from isthmus.likelihoods import Multinomial
from isthmus.priors import Density, Vamp
from isthmus.regularizers import L1, Adversarial, AuxK, Jacobian, KLSparsity, Regularizer

# Epochs of a topic model, which starts near its end. Chosen on three corpora, see benchmarks/text.py.
TOPIC_EPOCHS = 5

__all__ = [
    "adversarial",
    "autoencoder",
    "beta_vae",
    "conditional_vae",
    "contractive",
    "convolutional",
    "denoising",
    "imputer",
    "ladder_vae",
    "linear",
    "mult_vae",
    "recurrent",
    "sequence_vae",
    "sparse",
    "tabular_vae",
    "tcn",
    "top_k",
    "topic_model",
    "vae",
    "vamp_vae",
    "vq_vae",
]


def compose(n_components: int, options: dict[str, Any], **parts: Any) -> Autoencoder:
    """Make an estimator from the parts that define a variant; the user's options take precedence."""
    defaults = {"backbone": MLP(), "bottleneck": Deterministic()}
    return Autoencoder(n_components, **{**defaults, **parts, **options})


def autoencoder(
    n_components: int = 2, *, hidden: Any = "auto", activation: str = "silu", **options: Any
) -> Autoencoder:
    """Plain autoencoder: a small code between an encoder and a mirrored decoder.

    Parameters
    ----------
    n_components : int, default=2
        Number of components of the code.
    hidden : tuple of int or "auto", default="auto"
        Widths of the encoder's hidden layers. With "auto", the encoder of a table with categories is linear; see
        ``isthmus.backbones.MLP``.
    activation : str, default="silu"
        Activation function of the hidden layers, by its name in ``isthmus.backbones.MLP``.
    **options
        Other parameters of ``Autoencoder``.

    Returns
    -------
    Autoencoder
        The unfitted estimator.

    References
    ----------
    Hinton and Salakhutdinov, Reducing the dimensionality of data with neural networks, Science 313, 2006.

    Examples
    --------
    >>> from isthmus.zoo import autoencoder
    >>> autoencoder(8, hidden=(64,))
    Autoencoder(backbone=MLP(hidden=(64,)), bottleneck=Deterministic(),
                n_components=8)
    """
    return compose(n_components, options, backbone=MLP(hidden=hidden, activation=activation))


def linear(n_components: int = 2, *, tied: bool = False, **options: Any) -> Autoencoder:
    """Linear autoencoder: finds the same subspace as PCA.

    Parameters
    ----------
    n_components : int, default=2
        Number of components of the code.
    tied : bool, default=False
        Whether the decoder uses the transposed weights of the encoder.
    **options
        Other parameters of ``Autoencoder``.

    Returns
    -------
    Autoencoder
        The unfitted estimator.

    References
    ----------
    Baldi and Hornik, Neural networks and principal component analysis, Neural Networks 2, 1989.

    Examples
    --------
    >>> from isthmus.zoo import linear
    >>> linear(3).backbone
    Linear()
    """
    likelihood = GaussianLikelihood(scale="shared", scaling="center")
    return compose(n_components, options, backbone=Linear(tied=tied), likelihood=likelihood)


def convolutional(
    n_components: int = 2, *, channels: tuple[int, ...] = (32, 64, 128), kernel_size: int = 3, **options: Any
) -> Autoencoder:
    """Convolutional autoencoder: for time series, images and volumes.

    Parameters
    ----------
    n_components : int, default=2
        Number of components of the code.
    channels : tuple of int, default=(32, 64, 128)
        Number of channels of each stage of the encoder.
    kernel_size : int, default=3
        Must be odd.
    **options
        Other parameters of ``Autoencoder``.

    Returns
    -------
    Autoencoder
        The unfitted estimator.

    References
    ----------
    Masci, Meier, Ciresan and Schmidhuber, Stacked convolutional auto-encoders, ICANN 2011.

    Examples
    --------
    >>> from isthmus.zoo import convolutional
    >>> convolutional(16, channels=(16, 32)).backbone
    Conv(channels=(16, 32))
    """
    return compose(n_components, options, backbone=Conv(channels, kernel_size))


def recurrent(n_components: int = 2, *, width: int = 64, cell: str = "lstm", **options: Any) -> Autoencoder:
    """Recurrent autoencoder: encodes a time series step by step and decodes it from the code.

    Parameters
    ----------
    n_components : int, default=2
        Number of components of the code.
    width : int, default=64
        Size of the recurrent state.
    cell : {"gru", "lstm"}, default="lstm"
        Kind of the recurrent unit.
    **options
        Other parameters of ``Autoencoder``.

    Returns
    -------
    Autoencoder
        The unfitted estimator.

    References
    ----------
    Malhotra et al., LSTM-based encoder-decoder for multi-sensor anomaly detection, 2016, arXiv:1607.00148.

    Examples
    --------
    >>> from isthmus.zoo import recurrent
    >>> recurrent(8).backbone
    Recurrent(cell='lstm')
    """
    return compose(n_components, options, backbone=Recurrent(width, cell=cell))


def tcn(n_components: int = 2, *, width: int = 32, **options: Any) -> Autoencoder:
    """Temporal convolutional autoencoder: dilated convolutions over a time series, without downsampling.

    Parameters
    ----------
    n_components : int, default=2
        Number of components of the code.
    width : int, default=32
        Number of channels of each block.
    **options
        Other parameters of ``Autoencoder``.

    Returns
    -------
    Autoencoder
        The unfitted estimator.

    References
    ----------
    Thill, Konen, Wang and Baeck, Temporal convolutional autoencoder for unsupervised anomaly detection in time series,
    Applied Soft Computing 112, 2021.

    Examples
    --------
    >>> from isthmus.zoo import tcn
    >>> tcn(8, width=16).backbone
    TCN(width=16)
    """
    return compose(n_components, options, backbone=TCN(width))


def sparse(
    n_components: int = 2, *, penalty: str = "kl", weight: float | None = None, target: float = 0.05, **options: Any
) -> Autoencoder:
    """Sparse autoencoder: only a few units of a wide code are active for a row.

    Parameters
    ----------
    n_components : int, default=2
        It may exceed the number of features.
    penalty : {"kl", "l1"}, default="kl"
        "kl": KL divergence between ``target`` and each unit's mean activity, for sigmoid codes. "l1": absolute value,
        for ReLU codes.
    weight : float or None, default=None
        None means 1 for "kl" and 0.1 for "l1".
    target : float, default=0.05
        Desired mean activity, for "kl".
    **options
        Other parameters of ``Autoencoder``.

    Returns
    -------
    Autoencoder
        The unfitted estimator.

    References
    ----------
    Ng, Sparse autoencoder, CS294A lecture notes, Stanford 2011.

    Examples
    --------
    >>> from isthmus.zoo import sparse
    >>> sparse(64, penalty="l1").regularizers
    L1()
    """
    if penalty not in ("kl", "l1"):
        raise ValueError(f"sparse: penalty must be one of ('kl', 'l1'), got {penalty!r}")
    if penalty == "l1":
        term: Regularizer = L1(0.1 if weight is None else weight)
        return compose(n_components, options, bottleneck=Deterministic("relu"), regularizers=term)
    term = KLSparsity(1.0 if weight is None else weight, target)
    return compose(n_components, options, bottleneck=Deterministic("sigmoid"), regularizers=term)


def top_k(
    n_components: int = 64, *, k: int = 8, weight: float = 1 / 32, dead_after: int = 100, **options: Any
) -> Autoencoder:
    """Top-k sparse autoencoder: only the k largest components of a wide code are active for a row.

    Encoder and decoder are linear, so each component represents one direction of the data. Components that no row uses
    are revived.

    Parameters
    ----------
    n_components : int, default=64
        It may exceed the number of features.
    k : int, default=8
        Number of components that each row keeps.
    weight : float, default=0.03125
        Weight of the loss that revives dead components.
    dead_after : int, default=100
        Number of training steps after which an unused component is dead.
    **options
        Other parameters of ``Autoencoder``.

    Returns
    -------
    Autoencoder
        The unfitted estimator.

    References
    ----------
    Gao et al., Scaling and evaluating sparse autoencoders, 2024, arXiv:2406.04093;
    Makhzani and Frey, k-sparse autoencoders, 2013, arXiv:1312.5663.

    Examples
    --------
    >>> from isthmus.zoo import top_k
    >>> top_k(256, k=16).bottleneck
    TopK(k=16)
    """
    parts = {"backbone": Linear(), "bottleneck": TopK(k, dead_after), "regularizers": AuxK(weight)}
    return compose(n_components, options, **parts)


def denoising(
    n_components: int = 2,
    *,
    noise: float = 0.3,
    unit: str = "std",
    clip: tuple[float, float] | None = None,
    **options: Any,
) -> Autoencoder:
    """Denoising autoencoder: reconstructs clean data from noisy data.

    Parameters
    ----------
    n_components : int, default=2
        Number of components of the code.
    noise : float, default=0.3
        Standard deviation of the noise.
    unit : {"std", "data"}, default="std"
        Unit of ``noise``: the standard deviation of each feature, or the unit of the data.
    clip : tuple of two floats or None, default=None
        Noisy values are clipped to these limits.
    **options
        Other parameters of ``Autoencoder``.

    Returns
    -------
    Autoencoder
        The unfitted estimator.

    References
    ----------
    Vincent et al., Stacked denoising autoencoders, JMLR 11, 2010.

    Examples
    --------
    >>> from isthmus.zoo import denoising
    >>> denoising(8, noise=0.5).corruption
    GaussianNoise(scale=0.5)
    """
    return compose(n_components, options, corruption=GaussianNoise(noise, unit, clip))


def contractive(n_components: int = 2, *, weight: float = 0.1, n_probes: int | None = 1, **options: Any) -> Autoencoder:
    """Contractive autoencoder: small changes of the input hardly change the code.

    Parameters
    ----------
    n_components : int, default=2
        Number of components of the code.
    weight : float, default=0.1
        Weight of the squared Frobenius norm of the encoder's Jacobian.
    n_probes : int or None, default=1
        Number of random directions that estimate the norm; None computes it exactly.
    **options
        Other parameters of ``Autoencoder``.

    Returns
    -------
    Autoencoder
        The unfitted estimator.

    References
    ----------
    Rifai et al., Contractive auto-encoders, ICML 2011.

    Examples
    --------
    >>> from isthmus.zoo import contractive
    >>> contractive(4).regularizers
    Jacobian()
    """
    return compose(n_components, options, regularizers=Jacobian(weight, n_probes))


def adversarial(n_components: int = 2, *, weight: float = 10.0, **options: Any) -> Autoencoder:
    """Adversarial autoencoder: plain codes whose distribution a discriminator draws towards the prior, for sampling.

    The validation bound does not contain the discriminator. ``validation_fraction=0`` keeps the last weights instead of
    those with the best bound; their codes follow the prior best.

    Parameters
    ----------
    n_components : int, default=2
        Number of components of the code.
    weight : float, default=10.0
        Weight of the loss by which the encoder learns to mislead the discriminator.
    **options
        Other parameters of ``Autoencoder``.

    Returns
    -------
    Autoencoder
        The unfitted estimator.

    References
    ----------
    Makhzani, Shlens, Jaitly, Goodfellow and Frey, Adversarial autoencoders, 2015, arXiv:1511.05644.

    Examples
    --------
    >>> from isthmus.zoo import adversarial
    >>> adversarial(4).regularizers
    Adversarial()
    """
    # Two nets that compete need smaller steps than one; not tuned.
    return compose(n_components, {"learning_rate": 2e-3, **options}, regularizers=Adversarial(weight))


def vae(n_components: int = 2, *, beta: float = 1.0, **options: Any) -> Autoencoder:
    """Variational autoencoder: codes are distributions close to a standard normal, so new rows can be sampled.

    Parameters
    ----------
    n_components : int, default=2
        Number of components of the code.
    beta : float, default=1.0
        Weight of the divergence; 1 is the evidence lower bound.
    **options
        Other parameters of ``Autoencoder``.

    Returns
    -------
    Autoencoder
        The unfitted estimator.

    References
    ----------
    Kingma and Welling, Auto-encoding variational Bayes, ICLR 2014, arXiv:1312.6114.

    Examples
    --------
    >>> from isthmus.zoo import vae
    >>> vae(8, max_epochs=50, random_state=0)
    Autoencoder(backbone=MLP(), bottleneck=Gaussian(), max_epochs=50,
                n_components=8, random_state=0)
    """
    return compose(n_components, options, bottleneck=Gaussian(beta=beta))


def beta_vae(
    n_components: int = 2, *, beta: float = 4.0, capacity: float | None = None, warmup: float = 0.0, **options: Any
) -> Autoencoder:
    """Beta-VAE: a VAE with a larger weight of the divergence, for independent components.

    Parameters
    ----------
    n_components : int, default=2
        Number of components of the code.
    beta : float, default=4.0
        Weight of the divergence.
    capacity : float or None, default=None
        Target of the divergence in nats, instead of 0. It rises linearly from 0 during training.
    warmup : float, default=0.0
        Fraction of the training during which beta rises from 0.
    **options
        Other parameters of ``Autoencoder``.

    Returns
    -------
    Autoencoder
        The unfitted estimator.

    References
    ----------
    Higgins et al., beta-VAE, ICLR 2017;
    Burgess et al., Understanding disentangling in beta-VAE, 2018, arXiv:1804.03599.

    Examples
    --------
    >>> from isthmus.zoo import beta_vae
    >>> beta_vae(8).bottleneck
    Gaussian(beta=4.0)
    """
    return compose(n_components, options, bottleneck=Gaussian(beta=beta, capacity=capacity, warmup=warmup))


def vamp_vae(n_components: int = 2, *, n_pseudo_inputs: int = 50, beta: float = 1.0, **options: Any) -> Autoencoder:
    """VAE with a VampPrior: the prior is a mixture that is learned together with the model, for data with clusters.

    Parameters
    ----------
    n_components : int, default=2
        Number of components of the code.
    n_pseudo_inputs : int, default=50
        Number of components of the mixture.
    beta : float, default=1.0
        Weight of the divergence.
    **options
        Other parameters of ``Autoencoder``.

    Returns
    -------
    Autoencoder
        The unfitted estimator.

    References
    ----------
    Tomczak and Welling, VAE with a VampPrior, AISTATS 2018, arXiv:1705.07120.

    Examples
    --------
    >>> from isthmus.zoo import vamp_vae
    >>> vamp_vae(8, n_pseudo_inputs=20).prior
    Vamp(n_pseudo_inputs=20)
    """
    return compose(n_components, options, bottleneck=Gaussian(beta=beta), prior=Vamp(n_pseudo_inputs))


def ladder_vae(
    n_components: int = 4,
    *,
    n_top: int | None = None,
    width: int | None = 32,
    beta: float = 1.0,
    warmup: float = 0.1,
    **options: Any,
) -> Autoencoder:
    """Ladder VAE: the code has two layers, and the prior of the lower layer depends on the upper layer.

    Parameters
    ----------
    n_components : int, default=4
        Number of components of both layers together.
    n_top : int or None, default=None
        Number of components of the upper layer, the last components of the code; None is half of all.
    width : int or None, default=32
        Number of hidden units of the net between the layers; None is a linear map.
    beta : float, default=1.0
        Weight of the divergence.
    warmup : float, default=0.1
        Fraction of the training during which beta rises from 0. Without warm-up, the upper layer may stay unused.
    **options
        Other parameters of ``Autoencoder``.

    Returns
    -------
    Autoencoder
        The unfitted estimator.

    References
    ----------
    Sonderby, Raiko, Maaloe, Sonderby and Winther, Ladder variational autoencoders, NeurIPS 2016, arXiv:1602.02282.

    Examples
    --------
    >>> from isthmus.zoo import ladder_vae
    >>> ladder_vae(8, n_top=2).bottleneck
    Ladder(n_top=2, warmup=0.1, width=32)
    """
    return compose(n_components, options, bottleneck=Ladder(n_top, width, beta, warmup))


def vq_vae(n_components: int = 8, *, n_codes: int = 64, commitment: float = 0.25, **options: Any) -> Autoencoder:
    """Vector-quantized autoencoder (VQ-VAE): codes are indices of vectors in a learned codebook.

    New codes are drawn from a mixture of normal distributions that is fitted to the codebook vectors of training rows.
    Drawn vectors are replaced by the nearest codebook vectors. Independently drawn indices give less realistic rows.

    Parameters
    ----------
    n_components : int, default=8
        Number of indices per code.
    n_codes : int, default=64
        Number of vectors of the codebook.
    commitment : float, default=0.25
        Weight of the squared distance between outputs of the encoder and their codebook vectors.
    **options
        Other parameters of ``Autoencoder``.

    Returns
    -------
    Autoencoder
        The unfitted estimator.

    References
    ----------
    van den Oord, Vinyals and Kavukcuoglu, Neural discrete representation learning, NeurIPS 2017, arXiv:1711.00937.

    Examples
    --------
    >>> from isthmus.zoo import vq_vae
    >>> vq_vae(4, n_codes=256).bottleneck
    VectorQuantized(n_codes=256)
    """
    bottleneck = VectorQuantized(n_codes, commitment=commitment)
    return compose(n_components, options, bottleneck=bottleneck, prior="mixture")


def conditional_vae(n_components: int = 2, *, beta: float = 1.0, **options: Any) -> Autoencoder:
    """Conditional VAE: the decoder gets the label, so rows can be sampled for a label.

    The encoder does not get the label, so codes contain information about it. Therefore codes are sampled from a
    mixture of normal distributions that is fitted to the codes of this label, and not from one prior for all labels.

    Parameters
    ----------
    n_components : int, default=2
        Number of components of the code.
    beta : float, default=1.0
        Weight of the divergence.
    **options
        Other parameters of ``Autoencoder``.

    Returns
    -------
    Autoencoder
        The unfitted estimator.

    References
    ----------
    Kingma et al., Semi-supervised learning with deep generative models, NIPS 2014, arXiv:1406.5298;
    Sohn, Lee and Yan, Learning structured output representation, NIPS 2015.

    Examples
    --------
    >>> from isthmus.zoo import conditional_vae
    >>> conditional_vae(8).conditional
    True
    """
    return compose(n_components, options, bottleneck=Gaussian(beta=beta), conditional=True, prior="mixture")


def mult_vae(
    n_components: int = 32, *, beta: float = 0.2, warmup: float = 0.8, dropout: float = 0.5, **options: Any
) -> Autoencoder:
    """Multinomial VAE: for rows of counts, such as words of texts or purchases of customers.

    Parameters
    ----------
    n_components : int, default=32
        Number of components of the code.
    beta : float, default=0.2
        Weight of the divergence, as in the paper. It is well below 1, because most columns of a row are 0.
    warmup : float, default=0.8
        Fraction of the training during which beta rises from 0.
    dropout : float, default=0.5
        Fraction of the counts that are hidden from the encoder in training.
    **options
        Other parameters of ``Autoencoder``.

    Returns
    -------
    Autoencoder
        The unfitted estimator.

    References
    ----------
    Liang, Krishnan, Hoffman and Jebara, Variational autoencoders for collaborative filtering, WWW 2018,
    arXiv:1802.05814.

    Examples
    --------
    >>> from isthmus.zoo import mult_vae
    >>> mult_vae(8).corruption
    Zeroing()
    """
    parts = {
        "backbone": MLP(hidden=(600,), activation="tanh"),
        "bottleneck": Gaussian(beta=beta, warmup=warmup),
        "likelihood": Multinomial(),
        "corruption": Zeroing(dropout),
    }
    return compose(n_components, options, **parts)


def topic_model(
    n_components: int = 20, *, concentration: float = 0.05, dropout: float = 0.2, **options: Any
) -> Autoencoder:
    """Topic model: for texts as word counts; codes are scaled logarithms of topic proportions.

    Training starts from topics that are found by factor analysis, so it has few epochs. ``isthmus.metrics.topics``
    lists the most relevant words of each topic and measures their coherence.

    Parameters
    ----------
    n_components : int, default=20
        Number of topics.
    concentration : float, default=0.05
        Concentration of the prior of topic proportions; smaller values favor fewer topics per text.
    dropout : float, default=0.2
        Dropout rate of topics.
    **options
        Other parameters of ``Autoencoder``.

    Returns
    -------
    Autoencoder
        The unfitted estimator.

    References
    ----------
    Srivastava and Sutton, Autoencoding variational inference for topic models (ProdLDA), ICLR 2017, arXiv:1703.01488.

    Examples
    --------
    >>> from isthmus.zoo import topic_model
    >>> topic_model(50).backbone
    ProdLDA()
    """
    parts = {
        "backbone": ProdLDA(concentration, dropout),
        "bottleneck": Gaussian(),
        "likelihood": Multinomial(),
        "max_epochs": TOPIC_EPOCHS,
    }
    return compose(n_components, options, **parts)


def sequence_vae(
    n_components: int = 16,
    *,
    width: int = 128,
    word_dropout: float = 0.3,
    free_bits: float = 0.125,
    warmup: float = 0.5,
    **options: Any,
) -> Autoencoder:
    """Sequence VAE: generates texts, melodies and other sequences of tokens step by step from a code.

    An autoregressive decoder tends to ignore the code. Three measures prevent this: some earlier tokens are hidden from
    the decoder, a small divergence of each component has no cost, and the weight of the divergence starts at 0.

    Parameters
    ----------
    n_components : int, default=16
        Number of components of the code.
    width : int, default=128
        Size of the recurrent state.
    word_dropout : float, default=0.3
        Fraction of the earlier tokens that are hidden from the decoder in training.
    free_bits : float, default=0.125
        Divergence of each component, in nats, that has no cost.
    warmup : float, default=0.5
        Fraction of the training during which the weight of the divergence rises from 0.
    **options
        Other parameters of ``Autoencoder``. Tokens of other data than texts need
        ``likelihood=Categorical(n_categories, end)``.

    Returns
    -------
    Autoencoder
        The unfitted estimator.

    References
    ----------
    Bowman et al., Generating sentences from a continuous space, CoNLL 2016, arXiv:1511.06349;
    Kingma et al., Improved variational inference with inverse autoregressive flow, NIPS 2016, arXiv:1606.04934.

    Examples
    --------
    >>> from isthmus.zoo import sequence_vae
    >>> sequence_vae(8).backbone
    Recurrent(autoregressive=True, width=128, word_dropout=0.3)
    """
    parts = {
        "backbone": Recurrent(width, autoregressive=True, word_dropout=word_dropout),
        "bottleneck": Gaussian(free_bits=free_bits, warmup=warmup),
        "learning_rate": 5e-3,
    }
    return compose(n_components, options, **parts)


def tabular_vae(
    n_components: int = 16,
    *,
    beta: float = 0.1,
    n_clusters: int = 30,
    n_candidates: int = 4,
    n_sweeps: int = 1,
    **options: Any,
) -> Autoencoder:
    """VAE for synthetic rows of tables: codes keep nearly all information, and a mixture is fitted to them.

    With ``beta`` well below 1, codes are not distributed like the standard normal prior. Therefore they are sampled
    from a mixture of normal distributions that is fitted to the codes of the training rows. A classifier that is
    trained to distinguish drawn rows from training rows then chooses each new row among several drawn ones. Last,
    each category is drawn again given the other values of the row, by a net that predicts it from them. The defaults of
    ``beta`` and ``n_clusters`` are not tuned; ``docs/design.md`` has a comparison with other values.

    Parameters
    ----------
    n_components : int, default=16
        Number of components of the code.
    beta : float, default=0.1
        Weight of the divergence.
    n_clusters : int, default=30
        Number of components of the mixture.
    n_candidates : int, default=4
        Number of rows that are drawn for each new row; with 1, there is no classifier.
    n_sweeps : int, default=1
        Number of times that each category of a new row is drawn again given its other values; with 0, it is not.
    **options
        Other parameters of ``Autoencoder``.

    Returns
    -------
    Autoencoder
        The unfitted estimator.

    References
    ----------
    Xu et al., Modeling tabular data using conditional GAN (TVAE), NeurIPS 2019, arXiv:1907.00503;
    Ghosh et al., From variational to deterministic autoencoders, ICLR 2020, arXiv:1903.12436;
    Azadi et al., Discriminator rejection sampling, ICLR 2019, arXiv:1810.06758;
    Heckerman et al., Dependency networks, JMLR 1, 2000.

    Examples
    --------
    >>> from isthmus.zoo import tabular_vae
    >>> tabular_vae(8).bottleneck
    Gaussian(beta=0.1)
    """
    mixture = GaussianMixture(n_clusters, reg_covar=1e-4, max_iter=300, random_state=0)
    prior = Density(mixture, n_candidates, n_sweeps)
    return compose(n_components, options, backbone=MLP((256, 128)), bottleneck=Gaussian(beta=beta), prior=prior)


def imputer(
    n_components: int = 64, *, fraction: float | tuple[float, float] = (0.0, 0.8), **options: Any
) -> Autoencoder:
    """Masked autoencoder: learns to fill missing values, because some known values are hidden in training.

    The code is wide, because it need not compress the row. Hidden cells and dropout keep the net from memorizing small
    tables, so no rows are held out to stop early. The defaults were chosen on four tables (adult, titanic, german
    credit and pima), see docs/performance.md.

    Parameters
    ----------
    n_components : int, default=64
        Number of components of the code.
    fraction : float or tuple of two floats, default=(0.0, 0.8)
        Probability that a value is hidden; with a pair, the probability of each row is uniform between the two.
    **options
        Other parameters of ``Autoencoder``.

    Returns
    -------
    Autoencoder
        The unfitted estimator.

    References
    ----------
    Gondara and Wang, MIDA: multiple imputation using denoising autoencoders, PAKDD 2018, arXiv:1705.02737.

    Examples
    --------
    >>> from isthmus.zoo import imputer
    >>> imputer().corruption
    Masking(fraction=(0.0, 0.8), loss_on='hidden')
    """
    parts = {
        "backbone": MLP(hidden=(256,), dropout=0.3),
        "corruption": Masking(fraction, loss_on="hidden"),
        "learning_rate": 8e-3,
        "validation_fraction": 0.0,
    }
    return compose(n_components, options, **parts)
