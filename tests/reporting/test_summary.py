from dataclasses import replace
from html.parser import HTMLParser

import pytest

from image_translation.reporting.report_content import ReportContent
from image_translation.reporting.summary import render_summary
from image_translation.reporting.typical import typical_image
from image_translation.statistics.comparison import TaskResults

TASKS = ("colorization", "monet", "cartoon", "custom")


def results_of(content: ReportContent) -> TaskResults:
    return TaskResults(content.comparison, content.verdicts, content.effects)


class Links(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found += [v for k, v in attrs if k in ("href", "src") and v != "data:,"]


@pytest.fixture(scope="module")
def summary(content, large):
    results = {"monet": results_of(large), "colorization": results_of(content)}
    return render_summary(results, TASKS)


def test_tasks_are_in_order_with_a_link_to_their_report(summary):
    reports = [link for link in Links(summary).found if link.endswith("report.html")]
    assert list(dict.fromkeys(reports)) == [
        "colorization/report.html",
        "monet/report.html",
    ]


def test_every_task_has_its_answer_and_a_verdict_on_the_hypothesis(summary):
    assert summary.count("stablished: ") == 2
    assert "Hypothesis not decided." in summary


def test_typical_image_of_a_task_is_at_its_top(content, large):
    results = {"monet": results_of(large), "colorization": results_of(content)}
    image = typical_image(content)
    page = render_summary(results, TASKS, {"colorization": image})
    first, second = page.split('<section class="task"')[1:]
    assert first.count("<img") == len(image["tiles"]) and "<img" not in second
    assert first.index("<img") < first.index("<table")
    assert image["why"].split(":")[0] in first.replace("\n", " ")


def test_command_that_translates_with_the_best_model_is_shown(summary):
    assert "task=colorization,input=photos/,output=translated/" in summary
    assert "translate.model=unet</code>" in summary


def test_verdicts_are_corrected_for_the_tasks_together(large):
    again = {task: results_of(large) for task in ("monet", "cartoon")}
    text = " ".join(render_summary(again, TASKS).split())
    assert "corrected for its 2 tasks together" in text
    alone = render_summary({"monet": results_of(large)}, TASKS)
    assert "tasks together" not in alone


def test_correction_over_tasks_can_remove_a_claim(large):
    spare = large.verdicts.assign(p_adjusted=0.02)
    results = TaskResults(large.comparison, spare, large.effects)
    claim = "pix2pix is better than autoencoder on MSE"
    assert claim in render_summary({"monet": results}, TASKS)
    three = dict.fromkeys(("monet", "cartoon", "custom"), results)
    together = render_summary(three, TASKS)
    assert "is better than" not in together
    assert "ahead of autoencoder, undecided, on MSE" in together


def test_failed_trainings_are_counted(crashed):
    page = render_summary({"monet": results_of(crashed)}, TASKS)
    assert "2 to 3 trainings of each model" in page


def test_tasks_without_results_are_listed_with_the_command(summary):
    for task in ("cartoon", "custom"):
        assert f"kedro run --pipeline={task}" in summary
    assert "kedro run --pipeline=monet" not in summary


def test_model_without_scores_has_dashes(summary):
    row = summary.rpartition("autoencoder_<wbr>gan")[2].partition("</tr>")[0]
    assert row.count("–") == 3


def test_task_that_is_not_registered_comes_last(content):
    page = render_summary({"own": results_of(content)}, ("monet",))
    assert 'id="own"' in page


def test_page_without_results_says_what_to_run():
    assert "kedro run --pipeline=monet" in render_summary({}, TASKS)


def test_names_are_escaped(content):
    comparison = content.comparison.assign(model="<script>alert(1)</script>")
    comparison = comparison.drop_duplicates(["model", "metric"])
    results = results_of(replace(content, comparison=comparison))
    page = render_summary({"monet": results}, TASKS)
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page
