import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from image_translation.metrics import HEADLINES, METRICS
from image_translation.reporting import figures, tables
from image_translation.reporting.answer import short_answer
from image_translation.reporting.conclusions import on_front
from image_translation.reporting.gallery import png_data_uri
from image_translation.reporting.page import render_report
from image_translation.reporting.templates import script_hash
from image_translation.statistics.comparison import TaskResults
from tests.reporting.examples import TRAINED

VOID = {"meta", "link", "img", "br", "wbr", "hr", "input"}
ADDRESSES = {"src", "href", "srcset", "action", "data", "poster", "xlink:href"}
EVIL = """<script>alert(1)</script>" onload='x' & {{ 7*7 }} $a_b$.png"""


class Page(HTMLParser):
    """Elements of a page, with their attributes and text, checked for nesting."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.scripts: list[str] = []
        self.feed(html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["script"]:
            self.scripts.append(data)
        elif self.open[-1:] != ["style"]:
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.elements if name == tag]


def slim(content, **changes):
    """The same content without pictures and curves, which take time to draw."""
    return replace(content, histories={}, gallery=[], **changes)


@pytest.fixture(scope="module")
def parsed(page) -> Page:
    return Page(page)


def test_page_has_no_external_references(page, parsed):
    without_images = re.sub(r"(base64,|sha256-)[A-Za-z0-9+/=]+", "", page)
    assert not re.search(r"//|@import", without_images)
    for address in re.findall(r"url\(([^)]*)\)", page):
        assert address.startswith("#")
    for _, attrs in parsed.elements:
        for key in ADDRESSES & attrs.keys():
            assert attrs[key].startswith(("#", "data:"))


def test_policy_forbids_loading(parsed):
    policy = [a["content"] for a in parsed.all("meta") if "http-equiv" in a]
    assert policy and "default-src 'none'" in policy[0]
    assert "script-src 'sha256-" in policy[0]


def test_only_scripts_of_the_policy_run(parsed):
    (policy,) = (a["content"] for a in parsed.all("meta") if "http-equiv" in a)
    data, program = parsed.scripts
    assert json.loads(data)["metrics"]
    assert script_hash(program) in policy
    assert parsed.all("script") == [
        {"type": "application/json", "id": "gallery-data"},
        {},
    ]


def test_sortable_scores_are_those_shown(parsed, content):
    data = json.loads(parsed.scripts[0])
    assert len(data["samples"]) == len(content.gallery)
    assert [m["name"] for m in data["metrics"]] == list(METRICS)
    first = content.gallery[0].scores["unet"]["ssim"]
    assert data["samples"][0]["unet"]["ssim"] == pytest.approx(first)


def test_links_within_the_page_have_targets(parsed):
    ids = Counter(attrs["id"] for _, attrs in parsed.elements if "id" in attrs)
    assert set(ids.values()) == {1}
    inside = [
        attrs["href"][1:]
        for _, attrs in parsed.elements
        if attrs.get("href", "").startswith("#")
    ]
    assert inside and set(inside) <= set(ids)


def test_page_is_well_formed(parsed):
    assert parsed.open == []
    assert parsed.all("html")[0]["lang"] == "en"
    assert len(parsed.all("h1")) == 1


def test_same_content_gives_the_same_bytes(content, page):
    assert render_report(content) == page


def test_answer_and_the_command_come_before_the_typical_image(page, parsed, content):
    (answer,) = re.findall('<section id="answer".*?</section>', page, re.DOTALL)
    text, image = answer.split("<img", 1)
    results = TaskResults(content.comparison, content.verdicts, content.effects)
    assert short_answer(results).lead in text
    assert "--pipeline=translate --params task=colorization," in text
    assert "translate.model=unet</code>" in text
    typical = content.gallery[0]
    assert answer.count("<img") == 2 + len(content.scores) - 1
    assert png_data_uri(typical.target) in image and typical.why in parsed.text


def test_baseline_that_wins_is_the_first_word_of_the_answer(content):
    table = content.comparison.set_index(["model", "metric"])
    table.loc[("copy_input", "psnr"), "mean"] = 99.0
    text = Page(render_report(slim(content, comparison=table.reset_index()))).text
    lead = text.split("The answer ", 1)[1]
    assert lead.startswith("No trained model is better than copy_input: unet, the best")


def test_conclusions_come_before_any_table(page):
    assert page.index("The answer") < page.index("<table")
    assert page.index("unet has the best mean") < page.index("<table")


def test_every_image_has_alternative_text(parsed, content):
    images = parsed.all("img")
    rows = len(content.gallery) + 1  # the typical image is also at the top
    assert len(images) == rows * (1 + len(content.scores))
    assert all(len(image["alt"]) > 10 for image in images)
    figures = [a for a in parsed.all("svg") if a.get("role") == "img"]
    assert figures and all(len(figure["aria-label"]) > 10 for figure in figures)
    others = [a for a in parsed.all("svg") if a.get("role") != "img"]
    assert all(other["aria-hidden"] == "true" for other in others)


def test_every_table_has_a_caption_and_scopes(parsed):
    assert len(parsed.all("caption")) == len(parsed.all("table"))
    assert all(header.get("scope") in ("col", "row") for header in parsed.all("th"))
    boxes = [a for a in parsed.all("div") if a.get("class") == "scroll"]
    assert all(a["tabindex"] == "0" and a["aria-label"] for a in boxes)


def test_few_photographs_are_reported_at_the_top(parsed):
    top = parsed.text.split("Pair by pair", 2)[1]
    assert "Too few independent photographs" in top


def test_best_is_marked_in_words(page, content):
    _, tables_of_scores = page.split('<section id="scores"')
    assert (
        tables_of_scores.count('<span class="badge">best</span>')
        == content.comparison["metric"].nunique()
    )
    first = page.split("More on fidelity")[0]
    assert '<span class="badge">best trained' not in first


def test_baseline_ahead_of_all_models_is_marked(content):
    table = content.comparison.copy()
    copied = (table["model"] == "copy_input") & (table["metric"] == "ssim")
    table.loc[copied, "mean"] = 0.999
    changed = slim(content, comparison=table)
    rows = {row.model: row for row in tables.score_tables(changed)[0].rows}
    assert rows["copy_input"].cells[2].badge == "best"
    assert rows["unet"].cells[2].badge == "best trained"
    assert "if a baseline is better" in render_report(changed)


def test_scores_have_one_table_per_family(content):
    first, *others = tables.score_tables(content)
    assert first.metrics == list(HEADLINES)
    assert [table.title for table in others] == [
        "More on fidelity",
        "Colour",
        "Realism",
    ]
    shown = [metric for table in (first, *others) for metric in table.metrics]
    assert sorted(shown) == sorted(content.comparison["metric"].unique())


def test_distances_are_shown_with_those_of_halves_of_the_targets(content):
    *others, realism = tables.score_tables(content)
    floor = content.floors.set_index("metric")["floor"]["swd"]
    assert f"SWD {floor:.1f}" in realism.about
    assert "values of different n are not comparable" in realism.about
    assert not any("halves" in table.about for table in others)
    without = tables.score_tables(replace(content, floors=None))[-1]
    assert "halves" not in without.about


def test_missing_model_is_in_the_table(large, large_page):
    row = {row.model: row for row in tables.score_tables(large)[0].rows}[
        "autoencoder_gan"
    ]
    assert row.cells == ()
    assert "the loss was not a number after epoch 3" in row.missing
    assert large_page.count("the loss was not a number after epoch 3") == 6


def test_failed_training_is_marked_in_all_tables(crashed):
    reason = "failed: replicate 2: training diverged in epoch 1"
    rows = {row.model: row for row in tables.score_tables(crashed)[0].rows}
    assert rows["pix2pix"].about.endswith(f"{reason}; 2 trainings scored")
    assert rows["pix2pix"].cells and "failed" not in rows["unet"].about
    costs = {row.model: row for row in tables.cost_rows(crashed)}
    assert (costs["pix2pix"].failure, costs["pix2pix"].replicates) == (reason, "2")
    assert costs["unet"].failure == ""
    text = Page(render_report(slim(crashed))).text
    assert "2 to 3 trainings of each model" in text
    for start in ("Cautions", "A better mean is not a verdict", "GMAC"):
        assert reason in text.partition(start)[2][:400], start


def test_failed_model_gets_no_verdict(crashed):
    for metric in HEADLINES:
        for row in tables.pair_rows(crashed, metric):
            if "pix2pix" in (row.a, row.b):
                assert row.verdict == "undecided (a training of pix2pix failed)"
                assert row.outcome == "failed"
    text = Page(render_report(slim(crashed))).text
    assert "pix2pix is better" not in text and "better than pix2pix" not in text
    assert "unet is better than autoencoder and autoencoder_gan" in text


def test_single_trainings_give_no_verdict_on_models(once):
    text = Page(render_report(slim(once))).text
    assert "these trainings differ" in text
    assert not re.search(rf"({'|'.join(TRAINED)}) is better", text)
    assert "is better than" not in text


def test_several_trainings_give_verdicts_on_models(large):
    assert "unet is better" in Page(render_report(slim(large))).text


def test_tests_that_are_corrected_together_are_counted(large, once):
    """9 of the study: its pair and two main effects on three metrics."""
    assert tables.count_tests(once)["primary"] == 9
    assert "9 for the study’s question" in Page(render_report(slim(once))).text
    table = large.verdicts[large.verdicts["model_a"] == "unet"]
    assert tables.count_tests(replace(large, verdicts=table))["primary"] == 0
    text = Page(render_report(slim(large, verdicts=table))).text
    assert f"All {len(table)} comparisons of this task" in text
    assert "for the study’s question" not in text


def test_disagreement_of_mean_and_images_is_noted(large):
    names = large.verdicts[["model_a", "model_b", "metric"]].apply(tuple, axis=1)
    row = names == ("pix2pix", "unet", "psnr")
    claimed = large.verdicts.assign(
        win_rate=large.verdicts["win_rate"].mask(row, 0.3),
        verdict=large.verdicts["verdict"].mask(row, "pix2pix is better"),
    )
    remark = "pix2pix is better on average; unet is ahead on 70 % of the images"
    rows = tables.pair_rows(replace(large, verdicts=claimed), "psnr")
    assert [r.verdict for r in rows if (r.a, r.b) == ("pix2pix", "unet")] == [remark]
    assert sum("on average" in r.verdict for r in rows) == 1
    swapped = claimed.assign(
        win_rate=claimed["win_rate"].mask(row, 0.7),
        verdict=claimed["verdict"].mask(row, "unet is better"),
    )
    rows = tables.pair_rows(replace(large, verdicts=swapped), "psnr")
    remark = "unet is better on average; pix2pix is ahead on 70 % of the images"
    assert remark in [row.verdict for row in rows]


def test_disabled_model_is_listed_as_not_run(content):
    models = content.models.copy()
    models.loc[models["model"] == "unet", ["status", "reason"]] = ["not run", ""]
    table = content.comparison[content.comparison["model"] != "unet"]
    changed = slim(content, models=models, comparison=table)
    rows = {row.model: row for row in tables.score_tables(changed)[0].rows}
    assert rows["unet"].missing == "not run"


def test_two_by_two_needs_all_four_models(content, large):
    assert tables.effects(large, HEADLINES) == []
    network, adversarial, interaction = tables.effects(content, HEADLINES)
    means = content.comparison.query("metric == 'psnr'").set_index("model")["mean"]
    expected = (means["pix2pix"] + means["unet"]) / 2 - (
        means["autoencoder"] + means["autoencoder_gan"]
    ) / 2
    assert f"{expected:.1f}" in network.cells[1].difference
    assert network.cells[1].interval
    assert network.cells[1].verdict == "too few independent photographs"
    assert not any(cell.is_claim for cell in adversarial.cells)
    assert len(interaction.cells) == len(network.cells)


def test_two_by_two_is_mentioned_only_if_present(page, large_page):
    assert "2×2" in page
    assert "2×2" not in large_page


def test_pareto_front_is_listed(content, parsed):
    table = content.comparison.copy()
    planted = {"unet": (0.01, 90), "pix2pix": (0.02, 50), "autoencoder": (0.03, 91)}
    means = [
        planted.get(row["model"], (0.5, 500))[row["metric"] == "swd"]
        for _, row in table.iterrows()
    ]
    changed = slim(content, comparison=table.assign(mean=means))
    assert on_front(changed, ("mse", "swd")) == ["pix2pix", "unet"]
    page = render_report(changed)
    assert "no model is ahead of pix2pix and unet on both" in page


def test_realism_that_was_not_measured_has_no_plane(content):
    table = content.comparison[content.comparison["metric"].isin(METRICS)]
    assert 'id="plane"' not in render_report(slim(content, comparison=table))


def test_names_are_escaped(content):
    item = replace(content.gallery[0], name=EVIL, group=EVIL, why=EVIL)
    scores = {
        model: table.assign(group=EVIL) for model, table in content.scores.items()
    }
    evil = replace(
        content,
        question=EVIL,
        gallery=[item],
        histories={},
        scores=scores,
        models=content.models.assign(reason=EVIL, objective=EVIL),
        verdicts=content.verdicts.assign(verdict=EVIL),
        data=replace(
            content.data,
            source=EVIL,
            credit=EVIL,
            left_out=content.data.left_out.assign(example=EVIL),
            findings=content.data.findings.assign(examples=EVIL),
            splits=content.data.splits.assign(groups=EVIL),
        ),
        settings={EVIL: EVIL},
        environment={EVIL: EVIL},
    )
    html = render_report(evil)
    parsed = Page(html)
    assert len(parsed.all("script")) == 2
    assert EVIL not in parsed.scripts[0] + parsed.scripts[1]
    assert not [a for _, a in parsed.elements if "onload" in a]
    assert "{{ 7*7 }}" in html
    assert parsed.all("img")[0]["alt"].startswith(EVIL)


STUDY = pd.DataFrame(
    {
        "kind": ["preference", "reality"],
        "model_a": ["pix2pix", "unet"],
        "model_b": ["unet", "target"],
        "n": [20, 8],
        "rate": [0.9, 0.25],
        "ci_low": [0.7, 0.07],
        "ci_high": [0.97, 0.59],
        "undecided": [2, 0],
        "n_images": [20, 8],
        "n_groups": [20, 8],
        "p_value": [0.001, 0.04],
        "p_adjusted": [0.002, 0.04],
        "verdict": ["pix2pix is preferred", "too few judges or images"],
        "n_judges": 3,
        "agreement": 0.8,
        "alpha": 0.6,
        "page": "0123456789abcdef",
    }
)


def test_human_study_is_in_the_report(content):
    text = Page(render_report(slim(content, study=STUDY))).text
    assert "3 judges gave 30 votes in a blind test" in text
    assert "80 % of cases; Krippendorff’s alpha is 0.60" in text
    assert "pix2pix is preferred" in text and "70 % to 97 %" in text
    assert "too few judges or images" in text and "distinguishable from" not in text
    assert "over judges" in text
    assert "Judged by eye" not in Page(render_report(slim(content))).text


def test_single_judge_is_reported(content):
    alone = Page(render_report(slim(content, study=STUDY.assign(n_judges=1)))).text
    assert "about this judge" in alone and "over judges" not in alone


def test_infinite_psnr_is_counted(content):
    table = content.scores["copy_input"].copy()
    table.loc[:1, "psnr"] = np.inf
    scores = {**content.scores, "copy_input": table}
    text = Page(render_report(slim(content, scores=scores))).text
    assert "2 predictions of copy_input equal the target exactly" in text
    assert "counts as 100 dB in means; there were 2" in text


def test_numbers_of_pairs_add_up(parsed, content):
    assert "183 pairs found = 180 used + 3 left out" in parsed.text
    short = replace(content.data, n_found=190)
    text = Page(render_report(slim(content, data=short))).text
    assert "10 left out, 7 of them without a stated reason" in text


def test_derived_images_are_labelled_everywhere(parsed, content):
    assert parsed.text.count("Input (derived)") == len(content.gallery) + 1
    data = replace(content.data, derived=None, recipe="")
    own = replace(content, data=data, histories={}, gallery=content.gallery[:1])
    assert "derived" not in Page(render_report(own)).text


def test_input_and_its_copy_are_embedded_once(page, content):
    sources = re.findall(r'<img src="([^"]*)"', page)
    first_row = sources[: 1 + len(content.scores)]
    assert len(set(first_row)) == len(first_row)


def test_model_that_returns_its_input_is_still_shown(content):
    item = content.gallery[0]
    lazy = replace(item, predictions={**item.predictions, "unet": item.input})
    (row,) = tables.gallery_rows(replace(content, gallery=[lazy]), png_data_uri)
    assert "unet" in [tile.model for tile in row.tiles]


def test_protocol_is_read_from_the_settings(parsed):
    assert "64 pixels wide and high" in parsed.text
    assert "selected by its PSNR on the validation pairs" in parsed.text
    assert "Dropout at inference: off" in parsed.text


@pytest.mark.parametrize(
    ("criteria", "sentence"),
    [
        (("last",), "The last epoch of each model is used"),
        (("swd",), "selected by its SWD on the validation pairs"),
        (("psnr", "last"), "by its PSNR on the validation pairs, or is the last one"),
    ],
)
def test_selection_of_the_epoch_is_described(content, criteria, sentence):
    settings = {
        f"model-{number}.training.select_by": name
        for number, name in enumerate(sorted(criteria))
    }
    assert sentence in Page(render_report(slim(content, settings=settings))).text


def test_epochs_of_adversarial_models_and_convergence_are_reported(parsed):
    assert "Of 4 trainings, the last epoch was the best" in parsed.text
    assert "chosen (PSNR)" in parsed.text and "best SWD" in parsed.text


def test_epoch_of_the_first_training_is_ringed(content, monkeypatch):
    rings = []
    draw = figures.learning_curve

    def watch(histories, curve, best):
        rings.append(best["unet"])
        return draw(histories, curve, best)

    monkeypatch.setattr(figures, "learning_curve", watch)
    one = {"unet": content.histories["unet"]}
    models = content.models.assign(best_epoch="3, 9")
    render_report(replace(content, histories=one, models=models, gallery=[]))
    assert set(rings) == {3}


def test_unpublished_settings_are_listed(parsed, content):
    assert "settings; they are not evidence about the published models" in parsed.text
    assert "training.batch_size 8 1, or 4 for large data sets" in parsed.text
    without = Page(render_report(slim(content, settings={}))).text
    assert "differ from the published ones" not in without


def test_long_list_of_photographs_is_truncated(content):
    groups = ", ".join(f"photograph-{i}" for i in range(5000))
    data = replace(content.data, splits=content.data.splits.assign(groups=groups))
    assert len(render_report(slim(content, data=data))) < 600_000


def test_page_stays_small(page):
    assert len(page.encode()) < 2**20


def test_gallery_stays_within_its_budget(content, monkeypatch):
    monkeypatch.setattr(tables, "GALLERY_BYTES", 150_000)
    rows = tables.gallery_rows(content, png_data_uri)
    assert 1 <= len(rows) < len(content.gallery)
    left = len(content.gallery) - len(rows)
    assert f"{left} further selected image" in render_report(
        replace(content, histories={})
    )


def test_page_without_models_is_rendered(content):
    empty = replace(
        content,
        comparison=content.comparison.iloc[:0],
        verdicts=content.verdicts.iloc[:0],
        scores={},
        histories={},
        gallery=[],
        models=content.models.assign(status="not run", best_epoch=None),
        data=replace(
            content.data,
            left_out=pd.DataFrame(columns=["reason", "count", "example"]),
            findings=content.data.findings.iloc[:0],
        ),
        settings={},
        environment={},
    )
    assert "No trained model has been scored" in Page(render_report(empty)).text


def test_pictures_follow_the_answer_and_most_are_folded(page, content):
    sections = re.findall(r'<section id="(\w+)"', page)
    assert sections[:2] == ["answer", "gallery"]
    gallery = page[page.index('<div id="samples">') :]
    shown = gallery[: gallery.index("<details>")]
    assert shown.count("<article") == tables.GALLERY_OPEN < len(content.gallery)
    assert "<details open" not in page


def test_caption_has_no_digest(parsed, content):
    assert f"photograph {content.gallery[0].group}" in parsed.text
    digest = "0123456789abcdef"
    items = [replace(item, group=digest) for item in content.gallery]
    rows = tables.gallery_rows(replace(content, gallery=items), lambda image: "")
    assert {row.group for row in rows} == {""}


def test_equal_comparisons_are_counted_not_listed(content, large):
    rows = tables.pair_rows(content, "psnr")
    expected = f"{len(rows)} comparisons: {len(rows)} too few photographs"
    assert tables.summarize_pairs(rows) == expected
    said = tables.summarize_pairs(tables.pair_rows(large, "psnr"))
    assert "decided" in said
