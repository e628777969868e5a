"""The function ``export``."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

import isthmus
from isthmus.ambient import own_settings
from isthmus.anomaly import AnomalyDetector
from isthmus.decoder import Decoder
from isthmus.errors import require_path
from isthmus.exporting.certificate import TOLERANCE, Certificate, Check, Scales, compare, require_close, require_equal
from isthmus.exporting.formats import FORMATS, add_metadata, describe, open_program, require_libraries, trace, write
from isthmus.exporting.ports import Feeds, read_cells, read_feeds
from isthmus.exporting.precision import check_precision, reduce_precision
from isthmus.exporting.probes import choose_rows, make_code_probes, make_probes
from isthmus.exporting.programs import Program, check_part, make_program
from isthmus.storage import check_writable, replacing

# Libraries whose versions a certificate names, by format.
LIBRARIES = {".onnx": ("torch", "onnx", "onnxscript", "onnxruntime"), ".pt2": ("torch",)}
# Name of the certificate beside a file.
ENDING = ".certificate.json"
# Mean relative difference, and share of decisions, that a reduced precision may cost. The value is a choice, not based
# on a measurement; a certificate states the cost for its model.
MAX_ERROR = 0.1

Compared = tuple[str, Callable[[], Feeds], Callable[[], Feeds]]


@own_settings()
def export(
    model: Any,
    path: str | os.PathLike[str],
    part: str | None = None,
    X: Any = None,
    *,
    precision: str | None = None,
    max_error: float = MAX_ERROR,
) -> Certificate:
    """Export a part of a fitted model as a program for other software, after a comparison with isthmus.

    The program contains the preparation of the rows, the net, the likelihood and the threshold. It takes any number of
    rows. A program for a table has an input of shape (n, 1) for each column, with its name: float64 for numbers (NaN is
    missing) and truth values, string for categories ("" is missing), int64 for dates in microseconds since 1970-01-01
    (NumPy's NaT is missing). A program for arrays has one input "X" (n, ...) in the layout of the training rows.

    ============= ====================== ==================================================================
    part          of                     outputs
    ============= ====================== ==================================================================
    "reconstruct" Autoencoder            "reconstruction", or "reconstruction.NAME" for each column
    "encoder"     Autoencoder            "codes" (n, n_components)
    "decoder"     Autoencoder, Decoder   "values", or "values.NAME" for each column; inputs are "codes" and,
                                         for a conditional model, "label"
    "score"       all                    "score" (n,), float64
    "detect"      AnomalyDetector        "score" (n,), and "is_anomaly" (n,) with the threshold of ``predict``
    ============= ====================== ==================================================================

    The program and isthmus are compared on the rows, on single rows, and on rows that are constant, extreme, or have
    missing cells or unseen categories. Numbers may differ by 1e-4 relative to their scale, decisions not at all. The
    comparison is written as JSON beside the program, with the ending ``.certificate.json``, and into its metadata.

    With a ``precision``, the weights of the nets are stored with fewer bits, and everything is computed as before: the
    file is smaller and as fast. Then the certificate contains the largest and the mean difference, the share of
    decisions that differ, and both sizes. The program is refused if values overflow, or if the mean difference or the
    share exceeds ``max_error`` on the rows.

    Parameters
    ----------
    model : Autoencoder, Decoder, BaggedAutoencoders, ExemplarDistance or AnomalyDetector
        Fitted. A detector needs one of the other estimators.
    path : str or path
        Ending in ``.onnx`` for ONNX, which needs the extra ``export``, or in ``.pt2`` for ``torch.export.load``, whose
        inputs are those of ``inputs`` in the certificate, in this order; categories are there codes: 0 is missing, 1
        unseen, and 2 the first of the vocabulary.
    part : str or None, default=None
        None is the first one in the table that the model has; "detect" for a detector.
    X : array, data frame or Source of shape (n_samples, ...) or None, default=None
        Rows to compare on, at most the first 10,000. None takes rows that the model samples or, for a detector, its
        reference rows.
    precision : {"float16", "int8"} or None, default=None
        Numbers that store the weights: 16 bits, or integers of 8 bits with one scale per unit. None is the precision of
        the model.
    max_error : float, default=0.1
        Largest mean relative difference, and largest share of decisions that differ; for a reduced precision only.

    Returns
    -------
    Certificate
        The comparison.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    ValueError
        If a parameter is not valid, if the model has no such part or the part cannot be a program, if the rows do not
        fit the model, or if the program differs from isthmus. No file is written.
    ImportError
        If libraries of ONNX are not installed.

    References
    ----------
    ONNX: https://onnx.ai. PyTorch 2, ASPLOS 2024: ``torch.export``.

    Examples
    --------
    >>> import numpy as np, tempfile, pathlib
    >>> import isthmus
    >>> X = np.random.default_rng(0).normal(size=(200, 5))
    >>> model = isthmus.zoo.vae(2, max_epochs=1, random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     certificate = isthmus.export(model, pathlib.Path(folder) / "encoder.pt2", "encoder", X)
    >>> certificate.part, max(check.difference for check in certificate.checks) < 1e-4
    ('encoder', True)
    """
    require_path("path", path)
    path = Path(path)
    if path.suffix not in FORMATS:
        raise ValueError(f"path must end in one of {list(FORMATS)}, got {str(path)!r}")
    check_precision(precision, max_error)
    require_libraries(path.suffix)
    check_writable(path)
    content, certificate = make_certified(model, part, X, path.suffix, precision, max_error)
    _write_files(path, content, certificate)
    return certificate


def make_certified(
    model: Any,
    part: str | None,
    X: Any,
    suffix: str,
    precision: str | None = None,
    max_error: float = MAX_ERROR,
) -> tuple[bytes, Certificate]:
    """Return a program in a format, and what was compared; see ``export`` for parameters and errors."""
    part = check_part(model, part)
    check_is_fitted(model.estimator if isinstance(model, Decoder) else model)
    program = make_program(model, part).eval()
    content = full = write(program, trace(program, suffix), suffix)
    if precision is not None:
        reduce_precision(program, precision)
        content = write(program, trace(program, suffix), suffix)
    checks = tuple(_check(model, part, X, program, open_program(content, suffix, program)))
    if precision is None:
        require_equal(checks)
    else:
        require_close(checks, precision, max_error)
    certificate = Certificate(
        type(model).__name__,
        part,
        {"isthmus": isthmus.__version__} | {name: version(name) for name in LIBRARIES[suffix]},
        describe(program.inputs),
        describe(program.outputs),
        checks,
        precision,
        TOLERANCE if precision is None else max_error,
        len(content),
        len(full),
    )
    return add_metadata(content, suffix, {"certificate": certificate.to_json(), "part": part}), certificate


def _write_files(path: Path, content: bytes, certificate: Certificate) -> None:
    """Write a program and its certificate, both or none."""
    with replacing(path) as file, replacing(path.with_suffix(ENDING)) as beside:
        file.write(content)
        # A full disk is noticed before the certificate has replaced another one.
        file.flush()
        beside.write(certificate.to_json().encode())


def _check(model: Any, part: str, X: Any, program: Program, run: Any) -> Iterator[Check]:
    """Yield the comparisons; the first one is on the real rows, whose outputs have the scale of all."""
    scales = None
    for name, feeds, answer in _code_rows(model, program) if part == "decoder" else _rows(model, part, X, program):
        if scales is None:
            scales = Scales(answer(), program.outputs)
        yield compare(name, run, feeds, answer, scales, program)


def _rows(model: Any, part: str, X: Any, program: Program) -> Iterator[Compared]:
    estimator = getattr(model, "estimator_", model) if part == "detect" or _is_detector(model) else model
    for name, rows in make_probes(choose_rows(model, X), program.inputs):
        answer = partial(_answer, model, part, rows, program)
        yield name, partial(read_feeds, estimator, rows, program.inputs), answer


def _is_detector(model: Any) -> bool:
    return isinstance(model, AnomalyDetector)


def _answer(model: Any, part: str, rows: Any, program: Program) -> Feeds:
    """Return what isthmus answers, by the names of the outputs."""
    if part == "detect":
        scores = model.score_samples(rows)
        return {"score": scores, "is_anomaly": model.predict(rows, scores=scores) == -1}
    if part == "score":
        return {"score": model.score_samples(rows)}
    if part == "encoder":
        return {"codes": model.transform(rows)}
    return _as_outputs(model.reconstruct(rows), program)


def _code_rows(model: Any, program: Program) -> Iterator[Compared]:
    estimator = model.estimator if isinstance(model, Decoder) else model
    for name, codes, labels in make_code_probes(estimator, program.inputs):
        feeds = {port.name: _label_feed(labels, port) if port.name == "label" else codes for port in program.inputs}

        def answer(codes: Any = codes, labels: Any = labels) -> Feeds:
            return _as_outputs(estimator.inverse_transform(codes, labels), program)

        yield name, partial(dict, feeds), answer


def _label_feed(labels: Any, port: Any) -> Any:
    return labels[:, None].astype(object if port.dtype == "string" else port.dtype)


def _as_outputs(answer: Any, program: Program) -> Feeds:
    """Return a container of isthmus as the outputs of a program."""
    ports = program.outputs
    if "." in ports[0].name:
        return read_cells(answer, ports, ports[0].name.split(".")[0] + ".")
    return {ports[0].name: np.asarray(answer)}
