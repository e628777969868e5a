"""``isthmus detect`` on folders of images: the files that are alarms, and pictures of what is odd in them."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from isthmus.anomaly import AnomalyDetector
from isthmus.cli.detecting import (
    Search,
    check_outputs,
    describe_expected,
    find_alarms,
    load_detector,
    make_detector,
    saving,
    score_rows,
)
from isthmus.cli.outputs import Output
from isthmus.cli.pictures import draw_heat_maps, file_names, filling, open_folder
from isthmus.cli.progress import say
from isthmus.cli.runs import choose_columns
from isthmus.cli.streaming import beside
from isthmus.data import ImageFolder
from isthmus.formatting import pluralize

# Parameters of a detector of images where none are asked for. Chosen on 100 of the Frey faces, five of them with a grey
# patch over the nose, by models of 600 others: the AUROC is 0.94 with 16 components, and 0.60 with the usual 2.
OF_IMAGES = {"n_components": 16}


def detect_images(data: Path, search: Search, output: Output, target: Path | None, config: Path | None) -> None:
    """Find the images of a folder that are unlike the others, and draw where each is."""
    for option, value in {"--time": search.time, "--plot": search.plot, "--explain": search.explain}.items():
        if value:
            raise ValueError(f"{option} is for rows of tables; --heatmaps DIR draws what is odd in images")
    out = output.path or beside(data, ".alarms.csv")
    inputs = check_outputs(data, search, output, out, target, config)
    if search.heatmaps is not None:
        output.check_folder(search.heatmaps, inputs)
    choose_columns(None, search.run, data)
    detector, images = _fit_images(data, search) if search.detector is None else _load_images(data, search)
    with saving(detector, target):
        _report_images(detector, images, search, output, out)


def _fit_images(data: Path, search: Search) -> tuple[AnomalyDetector, ImageFolder]:
    normal = open_folder(data if search.normal is None else search.normal, search.size)
    images = normal if search.normal is None else open_folder(data, like=normal.schema)
    run = search.run if search.chosen else replace(search.run, model="convolutional", set=OF_IMAGES)
    detector = make_detector(replace(search, run=run, chosen=True))
    say(f"fitting a detector to {len(normal):,} images")
    return detector.fit(normal), images


def _load_images(data: Path, search: Search) -> tuple[AnomalyDetector, ImageFolder]:
    detector = load_detector(search)
    return detector, open_folder(data, like=detector)


def _report_images(detector: AnomalyDetector, images: ImageFolder, search: Search, output: Output, out: Path) -> None:
    """Write the names of the files that are alarms, and a picture of each."""
    scores = score_rows(detector, images, search)
    alarms = find_alarms(detector, images, scores, search.fdr)
    names = file_names(images.take(alarms))
    table = pa.table({"file": pa.array(names, pa.string()), "score": scores[alarms]})
    if search.heatmaps is None:
        output.write({out: table})
    else:
        with filling(search.heatmaps) as part:
            draw_heat_maps(detector, images.take(alarms), names, part)
            output.write({out: table})
        print(f"wrote {search.heatmaps}: {pluralize(len(alarms), 'heat map')}")
    expected = describe_expected(detector, search, len(images), "normal image")
    print(f"wrote {out}: {pluralize(len(alarms), 'alarm')} ({expected})")
