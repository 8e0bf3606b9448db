"""The whole evaluation of cases made by hand: JSON that comes back, a page that needs nothing else, worst cases first."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from core.scoring.card import ReportedMetric
from core.scoring.published import compare, difference_of, published_figures
from core.training.evaluation.figures import Topic, interval_text
from core.training.evaluation.octa_enface import assemble, evaluation_of, worst_faz, worst_grades
from core.training.evaluation.page import write_page
from core.training.evaluation.report import EvaluationReport, Identity
from core.training.evaluation.table import figure_tables
from core.training.folder import Reading
from core.vocabulary import OCTA_ARTIFACTS, CoipsGrade

IDENTITY = Identity(
    model="octa-enface", version="9.9", weights_sha256="0" * 64, split_seed=1, split="By subject.", labels="By <us>."
)


@pytest.fixture
def cases(make_case, make_zone):
    graded = []
    for index in range(18):
        truth = CoipsGrade(index % 3)
        severities = dict.fromkeys(OCTA_ARTIFACTS, index % 3)
        graded.append(
            make_case(
                index,
                said=CoipsGrade(0) if index == 17 else truth,
                found=severities,
                source="AB"[index % 2],
                grade=truth,
                severities=severities,
                readings=(Reading(truth, severities), Reading(truth, severities)),
                image=np.full((40, 40), 100, np.uint8),
            )
        )
    zones = [make_zone(12, found) for found in (12, 12, 11, 13, 12, 6)]
    drawn = [
        make_case(f"z{i}", key=f"faz_x/{i}", set="faz_x", slab="superficial", field_mm=3.0, zone=zone)
        for i, zone in enumerate(zones)
    ]
    strangers = [make_case(f"s{i}", set="drawn noise", is_octa=False, taken=False) for i in range(6)]
    return [*graded, *drawn, *strangers]


@pytest.fixture
def evaluation(cases):
    return evaluation_of(IDENTITY, cases)


@pytest.fixture
def report(evaluation):
    return evaluation.report


def test_the_report_has_every_topic_and_comes_back_from_json(report):
    topics = {metric.topic for metric in report.metrics}
    assert topics == {Topic.GRADE, Topic.ARTIFACT_SEVERITY, Topic.FAZ, Topic.STRANGERS}
    assert EvaluationReport.model_validate_json(report.model_dump_json()) == report
    assert report.parts["octa_graded"] == {"images": 18, "groups": 18}


def test_the_worst_cases_come_first(cases):
    assert worst_faz(cases)[0].key == "faz_x/5"
    assert worst_grades(cases)[0].key == "octa_graded/17"


def test_a_set_with_a_protocol_of_its_own_is_named_by_it(cases):
    report = assemble(IDENTITY, cases, protocols={"octa_graded": "5-fold cross-validation"})
    named = {metric.set for metric in report.metrics if metric.name == "grade accuracy"}
    assert "octa_graded, 5-fold cross-validation" in named
    assert "octa_graded A, 5-fold cross-validation" in named
    assert not any(name.startswith("octa_graded") and "held-out" in name for name in named)


def test_the_page_needs_no_other_file_and_its_pictures_open(evaluation, tmp_path):
    page = write_page(evaluation, tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)="(?!data:image/png;base64,|#)', page)
    assert "http" not in page
    pictures = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", page)
    assert len(pictures) > 10
    for picture in pictures:
        with Image.open(io.BytesIO(base64.b64decode(picture))) as opened:
            opened.verify()


def test_the_page_shows_every_figure_and_escapes_what_it_was_told(evaluation, tmp_path):
    report, page = evaluation.report, write_page(evaluation, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "By &lt;us&gt;." in page
    assert "5 of 6" not in page
    missing = [metric.name for metric in report.metrics if interval_text(metric) not in page]
    assert missing == []
    worst = [next(case.what for case in report.worst if case.topic == topic) for topic in (Topic.FAZ, Topic.GRADE)]
    absent = [words for words in ("ImageNet", "Linderman", *worst) if words not in page]
    assert absent == []


def test_the_terminal_gets_the_same_figures(report):
    console = Console(width=160, record=True, file=io.StringIO())
    for table in figure_tables(report):
        console.print(table)
    text = console.export_text()
    assert all(topic in text for topic in {metric.topic for metric in report.metrics})
    assert all(interval_text(metric) in text for metric in report.metrics)


def metric(**changes):
    fields = {"name": "FAZ Dice", "set": "s", "value": 0.9, "low": 0.8, "high": 0.95, "n_images": 9, "n_subjects": 9}
    return ReportedMetric(**fields | changes)


def test_an_interval_is_written_with_its_unit_and_no_spread_is_said():
    assert interval_text(metric()) == "0.900 (0.800 to 0.950)"
    assert interval_text(metric(value=12.34, low=10.0, high=15.0, unit="px")) == "12.3 px (10.0 to 15.0)"
    assert interval_text(metric(low=0.9, high=0.9)) == "0.900 (no spread)"


def test_the_published_table_is_whole_and_says_for_every_task_what_is_different():
    figures = published_figures()
    assert len(figures) == 5 * 2 * 4 + 2 * 4 + 2 * 2
    assert all(0.7 < figure.published < 1 for figure in figures)
    assert all(difference_of(figure.task).startswith("Published:") for figure in figures)
    best = max((f for f in figures if (f.task, f.figure) == ("grade 3x3", "accuracy")), key=lambda f: f.published)
    assert (best.system, best.published) == ("Swin-Transformer-Large", 0.91)


def test_a_published_figure_finds_its_counterpart_and_none_where_it_was_not_measured():
    ours = metric(set="faz_coips superficial 3 mm, held-out")
    rows = {(row.published.task, row.published.figure): row.ours for row in compare([ours])}
    assert rows["FAZ superficial", "Dice"] == ours
    assert rows["FAZ deep", "Dice"] is None
