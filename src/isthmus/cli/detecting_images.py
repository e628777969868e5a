"""``isthmus detect`` on folders of images: the files that are alarms, and heat maps of them."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from isthmus.anomaly import AnomalyDetector
from isthmus.anomaly.decisions import p_values
from isthmus.cli.detecting import (
    Request,
    advise_normal,
    describe_expected,
    explain_scores,
    find_alarms,
    load_detector,
    make_detector,
    name_outputs,
    saving,
    score_rows,
)
from isthmus.cli.images import draw_heat_maps, list_file_names, open_folder, replacing_folder
from isthmus.cli.outputs import Output
from isthmus.cli.progress import say
from isthmus.cli.runs import choose_columns
from isthmus.data import ImageFolder
from isthmus.formatting import pluralize

# Default parameters of a detector of images. Chosen on 100 Frey faces, five of them with a grey patch over the nose,
# with models of 600 others: the AUROC is 0.94 with 16 components, and 0.60 with 2, the default of other data.
OF_IMAGES = {"n_components": 16}


def detect_images(data: Path, request: Request, output: Output) -> int:
    """Find the anomalies in a folder of images, draw their unusual pixels, and return how many there are."""
    out, inputs = name_outputs(data, ".alarms.csv", request, output)
    if request.heatmaps is not None:
        output.check_folder(request.heatmaps, inputs)
    choose_columns(None, request.run, data)
    detector, images = _fit_images(data, request) if request.detector is None else _load_images(data, request)
    with saving(detector, request.save):
        return _report_images(detector, images, request, output, out)


def _fit_images(data: Path, request: Request) -> tuple[AnomalyDetector, ImageFolder]:
    normal = open_folder(data if request.normal is None else request.normal, request.size)
    images = normal if request.normal is None else open_folder(data, like=normal.schema)
    run = request.run if request.has_model else replace(request.run, model="convolutional", set=OF_IMAGES)
    detector = make_detector(replace(request, run=run, has_model=True))
    advise_normal(data, request)
    say(f"fitting a detector to {len(normal):,} images")
    return detector.fit(normal), images


def _load_images(data: Path, request: Request) -> tuple[AnomalyDetector, ImageFolder]:
    detector = load_detector(request)
    return detector, open_folder(data, like=detector)


def _report_images(detector: AnomalyDetector, images: ImageFolder, request: Request, output: Output, out: Path) -> int:
    """Write the names of the files that are alarms, and a picture of each."""
    scores = score_rows(detector, images, request)
    alarms = find_alarms(detector, images, scores, request.fdr)
    worst = alarms[: request.top]
    names = list_file_names(images.take(worst))
    p = p_values(scores[worst], detector.calibration_scores_)
    table = pa.table({"file": pa.array(names, pa.string()), "score": scores[worst], "p_value": p})
    if request.heatmaps is None:
        output.write({out: table})
    else:
        with replacing_folder(request.heatmaps) as part:
            draw_heat_maps(detector, images.take(worst), names, scores[worst], part)
            output.write({out: table})
        print(f"wrote {request.heatmaps}: {pluralize(len(worst), 'heat map')}")
    expected = describe_expected(detector, request, len(images), "image")
    print(f"wrote {out}: {request.describe_count(len(alarms), 'alarm')} ({expected})")
    explain_scores(detector, scores, request)
    return len(alarms)
