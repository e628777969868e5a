"""Pages of reports in a browser: no messages, no requests, accessible, and readable on screens, phones and paper."""

import base64
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import isthmus
from isthmus.data import Texts

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed")
WIDTHS, SCHEMES = (1280, 390), ("light", "dark")
NAMES = ("table", "detector", "images", "series", "events", "topics", "texts", "generator")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Write the pages of a table with gaps and of a detector."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("pages")
    table = pd.DataFrame(
        rng.normal(size=(240, 3)) @ rng.normal(size=(3, 34)), columns=[f"column {i}" for i in range(34)]
    )
    table["a very long name of a column that does not fit into a line of a phone <b>"] = rng.choice(
        ["a", "b" * 60], 240
    )
    table = table.mask(rng.random(table.shape) < 0.05)
    labels = np.where(np.arange(240) % 20 == 0, -1, 1)
    net = isthmus.Autoencoder(4, max_epochs=3, random_state=0)
    detector = isthmus.AnomalyDetector(net, calibration="split", fpr=0.1, random_state=0)
    reports = {
        "table": isthmus.report(net.fit(table[:160]), table[160:]),
        "detector": isthmus.report(detector.fit(table[:160]), table, labels),
    }
    reports |= make_reports_of_tasks(rng, table)
    for name, report in reports.items():
        report.save(folder / f"{name}.html")
    return folder


def make_reports_of_tasks(rng, table):
    """Return reports of images, of an imputer and a detector of a series, of texts, counts and a generator."""
    options, wave = {"max_epochs": 1, "random_state": 0}, np.sin(np.arange(600) / 4)
    images, names = rng.random((60, 1, 8, 8)), rng.choice(["a", "<b>"], (60, 2))
    texts = [f"{one} sees {other}" for one, other in names]
    models = {
        "images": (isthmus.zoo.vae(2, **options), images),
        "series": (isthmus.SeriesImputer(16, random_state=0), wave),
        "events": (isthmus.AnomalyDetector(isthmus.SlidingWindows(lengths=(16,), views=("values",))), wave),
        "topics": (isthmus.zoo.topic_model(2, **options), sparse.csr_array(rng.poisson(0.5, (60, 12)))),
        "texts": (isthmus.zoo.sequence_vae(2, width=8, **options), Texts(texts, vocabulary="word")),
        "generator": (isthmus.zoo.tabular_vae(2, n_clusters=2, **options), table.iloc[:, :4]),
    }
    return {name: isthmus.report(model.fit(X), texts if name == "texts" else X) for name, (model, X) in models.items()}


@pytest.fixture(scope="module")
def browser():
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for flag in FLAGS:
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_script_timeout(900)  # seconds of the wall clock, on a busy machine too
    yield driver
    driver.quit()


def show(browser, path, width, scheme):
    """Open a page in a window of a width and a colour scheme."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get_log("performance")
    browser.get(path.as_uri())
    browser.execute_script("document.querySelectorAll('details').forEach(each => each.open = true)")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_quiet_accessible_and_fits(browser, pages, name, width, scheme):
    from axe_core_python.selenium import Axe

    show(browser, pages / f"{name}.html", width, scheme)
    assert browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
    found = Axe().run(browser)["violations"]
    severe = {
        each["id"]: [node["html"] for node in each["nodes"]]
        for each in found
        if each["impact"] in ("serious", "critical")
    }
    assert severe == {}
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", SCHEMES)
def test_pictures_have_the_colours_of_the_page(browser, pages, scheme):
    show(browser, pages / "table.html", 1280, scheme)
    script = (
        "return [getComputedStyle(document.querySelector('figure text')).fill, getComputedStyle(document.body).color]"
    )
    text, ink = browser.execute_script(script)
    brightness = [sum(map(int, each.removeprefix("rgb(").removesuffix(")").split(","))) for each in (text, ink)]
    assert all((each > 384) == (scheme == "dark") for each in brightness)


def test_stacked_cells_have_names_on_phones_and_percentages_stay_together(browser, pages):
    show(browser, pages / "table.html", 390, "light")
    left, width = browser.execute_script(
        "const cell = document.querySelector('.long tbody td'), name = getComputedStyle(cell, '::before');"
        "return [parseFloat(getComputedStyle(cell).paddingLeft), parseFloat(name.width) + parseFloat(name.marginRight)]"
    )
    assert left == pytest.approx(width)
    text = browser.execute_script("return document.querySelector('main').innerText")
    assert "95\u00a0% intervals" in text
    assert re.search(r"\d [%]", text) is None


def test_paper_is_white_and_holds_the_whole_page(browser, pages):
    show(browser, pages / "table.html", 1280, "dark")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert browser.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.execute_script("return getComputedStyle(document.querySelector('nav')).display") == "none"
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    printed = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"])
    assert printed.startswith(b"%PDF")
    assert len(re.findall(rb"/Type ?/Page\b", printed)) > 2
