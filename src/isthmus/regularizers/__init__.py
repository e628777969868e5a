"""Regularizers: additional terms of the loss."""

from isthmus.regularizers.adversarial import Adversarial
from isthmus.regularizers.aux_k import AuxK
from isthmus.regularizers.base import Regularizer as Regularizer
from isthmus.regularizers.base import Step as Step
from isthmus.regularizers.jacobian import Jacobian
from isthmus.regularizers.kl_sparsity import KLSparsity
from isthmus.regularizers.l1 import L1
from isthmus.regularizers.l2 import L2

__all__ = ["L1", "L2", "Adversarial", "AuxK", "Jacobian", "KLSparsity"]
