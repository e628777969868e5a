"""Fitted estimators as models of MLflow."""

from isthmus.tracking.mlflow_models import log_model

__all__ = ["log_model"]
