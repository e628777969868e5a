"""Tools that track experiments: fitted estimators as models of MLflow, and callbacks that log a training."""

from isthmus.tracking.callbacks import MLflow, TensorBoard, WeightsAndBiases
from isthmus.tracking.mlflow_models import log_model

__all__ = ["MLflow", "TensorBoard", "WeightsAndBiases", "log_model"]
