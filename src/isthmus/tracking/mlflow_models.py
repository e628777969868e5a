"""Fitted estimators as models of MLflow, made of a model file of isthmus instead of a pickle."""

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import isthmus
from isthmus.containers import is_frame, open_frame
from isthmus.persistence import save
from isthmus.tracking import pyfunc

FILE = "model.safetensors"


def log_model(model: Any, name: str = "model", *, input_example: Any, output: str = "auto", **options: Any) -> Any:
    """Log a fitted estimator to the active run of MLflow, as a model of the flavour ``pyfunc``.

    The logged model is the file of ``isthmus.save``, the signature, the example, and the name of the module that loads
    the file. It has no pickle. Where it is loaded, isthmus must be installed.

    MLflow 3 maintains its store in files (``./mlruns``), but no longer develops it. A database is the alternative, such
    as ``mlflow.set_tracking_uri("sqlite:///mlflow.db")`` before the run.

    Parameters
    ----------
    model : fitted estimator
        One that ``isthmus.save`` takes.
    name : str, default="model"
        Name of the logged model.
    input_example : array or data frame
        A few rows, such as ``X[:5]``, from which the signature is inferred. They are stored with the model.
    output : str, default="auto"
        What ``predict`` returns: "alarms" (whether rows are anomalies), "codes", "scores" (higher is more normal),
        "p_values", "imputation", "reconstruction" or, for a ``Decoder``, "values" of codes. "auto" is the first of
        these that the estimator has. Each call can choose another one: ``predict(X, params={"output": "scores"})``.
    **options
        Other arguments of ``mlflow.pyfunc.log_model``, such as ``registered_model_name`` and ``pip_requirements``.

    Returns
    -------
    mlflow.models.model.ModelInfo
        Its ``model_uri`` is what ``mlflow.pyfunc.load_model`` takes.

    Raises
    ------
    ImportError
        Without mlflow.
    NotFittedError, ValueError
        As in ``isthmus.save``, or if the estimator has no such output.

    Examples
    --------
    >>> import mlflow  # doctest: +SKIP
    >>> from isthmus.tracking import log_model
    >>> with mlflow.start_run():  # doctest: +SKIP
    ...     info = log_model(detector, input_example=table[:5])
    >>> served = mlflow.pyfunc.load_model(info.model_uri)  # doctest: +SKIP
    >>> served.predict(table, params={"output": "scores"})  # doctest: +SKIP
    """
    mlflow = import_mlflow()
    output = pyfunc.choose_output(model, output)
    # MLflow infers types of columns only from frames of pandas.
    example = open_frame(input_example).to_pandas() if is_frame(input_example) else input_example
    answer = pyfunc.ServedModel(model).predict(example, {"output": output})
    options = {"pip_requirements": [f"isthmus=={isthmus.__version__}"], **options}
    with TemporaryDirectory() as folder:
        save(model, path := Path(folder) / FILE)
        return mlflow.pyfunc.log_model(
            name=name,
            loader_module=pyfunc.__name__,
            data_path=str(path),
            signature=_infer_signature(mlflow, example, answer, output),
            input_example=example,
            **options,
        )


def _infer_signature(mlflow: Any, example: Any, answer: Any, output: str) -> Any:
    """Infer a signature, in which columns of integers take any type: MLflow would refuse missing cells in them."""
    from mlflow.types.schema import AnyType, ColSpec, DataType, Schema

    signature = mlflow.models.infer_signature(example, answer, {"output": output})
    if is_frame(example):
        integers = (DataType.integer, DataType.long)
        columns = [ColSpec(AnyType(), each.name) if each.type in integers else each for each in signature.inputs]
        signature.inputs = Schema(columns)
    return signature


def import_mlflow() -> Any:
    """Import MLflow, without the warnings that it gives about itself.

    Raises
    ------
    ImportError
        If it is not installed; the message names the extra.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import mlflow.pyfunc
    except ImportError as error:
        raise ImportError('MLflow needs mlflow or mlflow-skinny: pip install "isthmus[tracking]"') from error
    return mlflow
