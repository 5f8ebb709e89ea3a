import numpy as np
import pytest

from image_translation.common.errors import InputError
from image_translation.imaging.recipes.grayscale import grayscale
from image_translation.pairing.layouts import (
    Candidate,
    describe_transform,
    form_pairs,
    make_derivation,
    split_halves,
)
from tests.pairing.helpers import pairing, picture, single, source_of


def files_of(candidates: list[Candidate]) -> set[tuple[str | None, str | None]]:
    return {(candidate.input, candidate.target) for candidate in candidates}


class TestTwoFolders:
    def test_files_are_matched_by_stem_never_by_order(self):
        source = source_of("in/a.png", "in/b.png", "out/b.jpg", "out/a.JPG")
        assert files_of(form_pairs(source, pairing())) == {
            ("in/a.png", "out/a.JPG"),
            ("in/b.png", "out/b.jpg"),
        }

    def test_path_below_the_folder_is_part_of_the_match(self):
        source = source_of("in/x/1.png", "in/y/1.png", "out/y/1.png", "out/x/1.png")
        assert files_of(form_pairs(source, pairing())) == {
            ("in/x/1.png", "out/x/1.png"),
            ("in/y/1.png", "out/y/1.png"),
        }

    def test_dots_in_names_are_kept(self):
        source = source_of("in/a.1.png", "in/a.2.png", "out/a.1.png", "out/a.2.png")
        assert len(files_of(form_pairs(source, pairing()))) == 2

    def test_composed_and_decomposed_letters_are_the_same(self):
        source = source_of("in/caf\u00e9.png", "out/cafe\u0301.png")
        assert not form_pairs(source, pairing())[0].reason

    def test_reversed_swaps_input_and_target(self):
        source = source_of("in/a.png", "out/a.png", "in/b.png")
        found = form_pairs(source, pairing(direction="reversed"))
        assert files_of(found) == {("out/a.png", "in/a.png"), (None, "in/b.png")}

    def test_file_without_partner_is_reported(self):
        source = source_of("in/a.png", "in/b.png", "out/a.png", "out/c.png")
        found = {c.input or c.target: c.reason for c in form_pairs(source, pairing())}
        assert found["in/a.png"] == ""
        assert found["in/b.png"] == "no partner: no target named 'b'"
        assert found["out/c.png"] == "no partner: no input named 'c'"

    def test_repeated_stem_is_reported_with_every_file(self):
        source = source_of("in/a.png", "in/a.jpg", "out/a.png", "in/b.png", "out/b.png")
        found = [c for c in form_pairs(source, pairing()) if c.reason]
        assert files_of(found) == {
            ("in/a.jpg", None),
            ("in/a.png", None),
            (None, "out/a.png"),
        }
        assert all("input 'a' occurs twice (a.jpg, a.png)" in c.reason for c in found)

    def test_several_folders_are_merged_without_name_clashes(self):
        source = source_of("a/1.png", "b/1.png", "c/1.png", "d/1.png")
        assert files_of(form_pairs(source, pairing(input="a|b", target="c|d"))) == {
            ("a/1.png", "c/1.png"),
            ("b/1.png", "d/1.png"),
        }

    @pytest.mark.parametrize("name", ["gray", "big images/gray", "/big images/gray/"])
    def test_folder_is_found_in_a_wrapping_one(self, name):
        source = source_of("big images/gray/1.png", "big images/color/1.png")
        found = form_pairs(source, pairing(input=name, target="color"))
        assert files_of(found) == {("big images/gray/1.png", "big images/color/1.png")}

    def test_whole_path_takes_precedence_over_an_ending(self):
        source = source_of("in/1.png", "old/in/1.png", "out/1.png")
        assert files_of(form_pairs(source, pairing())) == {("in/1.png", "out/1.png")}

    def test_ambiguous_ending_is_an_error(self):
        source = source_of("x/in/1.png", "y/in/1.png", "out/1.png")
        with pytest.raises(InputError, match=r"pairing\.input.*'x/in', 'y/in'"):
            form_pairs(source, pairing())

    def test_error_of_a_missing_folder_lists_the_existing_ones(self):
        source = source_of("grey/1.png", "color/1.png")
        with pytest.raises(
            InputError,
            match=r"pairing\.input.*'gray'.*did you mean 'grey'\?.*'color', 'grey'",
        ):
            form_pairs(source, pairing(input="gray", target="color"))

    def test_long_lists_of_folders_are_truncated(self):
        source = source_of(*(f"f{number:02}/1.png" for number in range(30)))
        with pytest.raises(InputError, match="'f11' and 18 more"):
            form_pairs(source, pairing())

    @pytest.mark.parametrize("role", ["input", "target"])
    def test_missing_parameter_is_an_error(self, role):
        with pytest.raises(InputError, match=rf"pairing\.{role}.*'in', 'out'"):
            form_pairs(source_of("in/1.png", "out/1.png"), pairing(**{role: None}))

    def test_folders_without_any_common_stem_are_an_error(self):
        source = source_of("in/a.png", "in/b.png", "out/x.png")
        with pytest.raises(InputError, match=r"no file in 'in'.*'a\.png'.*'x\.png'"):
            form_pairs(source, pairing())

    @pytest.mark.parametrize(
        ("input_", "target"), [("in", "in"), ("in", "in/out"), ("in|in", "out|new")]
    )
    def test_overlapping_folders_are_an_error(self, input_, target):
        source = source_of("in/a.png", "in/out/a.png", "out/a.png", "new/a.png")
        with pytest.raises(InputError, match="without common files"):
            form_pairs(source, pairing(input=input_, target=target))

    def test_unequal_numbers_of_folders_are_an_error(self):
        source = source_of("a/1.png", "b/1.png", "c/1.png")
        with pytest.raises(InputError, match="2 sub-folders and pairing.target 1"):
            form_pairs(source, pairing(input="a|b", target="c"))

    def test_every_file_is_part_of_exactly_one_candidate(self):
        files = ["in/a.png", "in/a.jpg", "in/b.png", "in/c.png"]
        files += ["out/a.png", "out/b.png", "out/d.png", "out/e/b.png"]
        found = form_pairs(source_of(*files), pairing())
        listed = [f for c in found for f in (c.input, c.target) if f]
        assert sorted(listed) == sorted(files)


class TestSideBySide:
    @pytest.mark.parametrize(
        ("half", "direction", "left_is_input"),
        [
            ("left", "forward", True),
            ("right", "forward", False),
            ("left", "reversed", False),
            ("right", "reversed", True),
        ],
    )
    def test_given_half_is_the_input(self, half, direction, left_is_input):
        image = picture(0, 4, 10)
        settings = pairing(layout="side_by_side", input=half, direction=direction)
        input_, target = split_halves(image, settings)
        if not left_is_input:
            input_, target = target, input_
        np.testing.assert_array_equal(input_, image[:, :5])
        np.testing.assert_array_equal(target, image[:, 5:])

    def test_every_file_is_a_pair(self):
        settings = pairing(layout="side_by_side", input="left", target=None)
        found = form_pairs(source_of("1.png", "x/2.png"), settings)
        assert files_of(found) == {("1.png", "1.png"), ("x/2.png", "x/2.png")}

    @pytest.mark.parametrize("half", [None, "top"])
    def test_invalid_half_is_an_error(self, half):
        settings = pairing(layout="side_by_side", input=half)
        with pytest.raises(InputError, match=r"pairing\.input.*left or right"):
            form_pairs(source_of("1.png"), settings)


class TestSingle:
    def test_every_file_is_a_pair(self):
        found = form_pairs(source_of("1.png", "x/2.png"), single())
        assert files_of(found) == {("1.png", "1.png"), ("x/2.png", "x/2.png")}

    def test_folder_of_the_photos_can_be_given(self):
        source = source_of("photos/1.png", "other/2.png")
        assert files_of(form_pairs(source, single(target="photos"))) == {
            ("photos/1.png", "photos/1.png")
        }

    def test_missing_recipe_is_an_error(self):
        with pytest.raises(InputError, match=r"pairing\.recipe.*grayscale"):
            form_pairs(source_of("1.png"), single(recipe=None))

    def test_grayscale_derives_the_input(self):
        photo = picture(0)
        input_, target = make_derivation(single())(photo)
        np.testing.assert_array_equal(input_, grayscale(photo))
        np.testing.assert_array_equal(target, photo)

    def test_reversed_swaps_input_and_target(self):
        photo = picture(0)
        input_, target = make_derivation(single(direction="reversed"))(photo)
        np.testing.assert_array_equal(input_, photo)
        np.testing.assert_array_equal(target, grayscale(photo))


def test_transform_distinguishes_pairs_of_the_same_files():
    halves = [
        pairing(layout="side_by_side", input=half, direction=direction)
        for half in ("left", "right")
        for direction in ("forward", "reversed")
    ]
    every = [*halves, single(), single(direction="reversed"), pairing()]
    assert len({describe_transform(settings) for settings in every}) == 5
    assert describe_transform(halves[0]) == describe_transform(halves[3])


class TestPattern:
    def test_partners_share_the_captured_text(self):
        source = source_of("in/photo_1.png", "in/photo_12.png", "out/painting-012.png")
        found = form_pairs(source, pairing(pattern=r"0*(\d+)$"))
        assert ("in/photo_12.png", "out/painting-012.png") in files_of(found)
        assert {c.input: c.reason for c in found}["in/photo_1.png"].startswith(
            "no partner: no target named '1'"
        )

    def test_several_groups_are_combined(self):
        source = source_of("in/a_1_x.png", "in/a_2_x.png", "out/2-a.png", "out/1-a.png")
        found = form_pairs(source, pairing(pattern=r"(\d)"))
        assert not any(c.reason for c in found)

    def test_file_without_a_match_has_no_partner(self):
        source = source_of("in/1.png", "in/cover.png", "out/1.png")
        reasons = {
            c.input: c.reason for c in form_pairs(source, pairing(pattern="(1)"))
        }
        assert reasons == {
            "in/1.png": "",
            "in/cover.png": "no partner: pairing.pattern does not match its name",
        }

    def test_several_inputs_may_have_one_target(self):
        source = source_of(
            "in/a1.png", "in/b1.png", "in/2.png", "out/1.png", "out/2.png"
        )
        found = form_pairs(source, pairing(pattern=r"(\d)"))
        assert not any(c.reason for c in found)
        assert files_of(found) >= {
            ("in/a1.png", "out/1.png"),
            ("in/b1.png", "out/1.png"),
        }

    def test_capture_that_is_repeated_on_both_sides_has_no_clear_partner(self):
        source = source_of(
            *("in/a1.png", "in/b1.png", "out/c1.png", "out/d1.png"),
            *("in/2.png", "out/2.png"),
        )
        found = form_pairs(source, pairing(pattern=r"(\d)"))
        assert sum(c.reason.startswith("no clear partner") for c in found) == 4

    def test_case_is_ignored_with_its_flag(self):
        source = source_of("in/Cat.png", "in/DOG.png", "out/cat.png", "out/dog.png")
        found = form_pairs(source, pairing(pattern="(?i)(.*)"))
        assert not any(c.reason for c in found)

    @pytest.mark.parametrize(
        ("pattern", "message"),
        [("(", "not a valid pattern"), ("1", "a group in parentheses")],
    )
    def test_invalid_pattern_is_an_error(self, pattern, message):
        source = source_of("in/1.png", "out/1.png")
        with pytest.raises(InputError, match=rf"pairing\.pattern.*{message}"):
            form_pairs(source, pairing(pattern=pattern))


NAMES = {
    "case": (["IMG_a", "IMG_b"], ["img_a", "img_b"], "(?i)(.*)"),
    "affixes": (
        ["photo_cat", "photo_dog"],
        ["cat_painted", "dog_painted"],
        "^(?:photo_)?(.+?)(?:_painted)?$",
    ),
    "zeros": (["p1", "p02", "p3"], ["q001", "q002", "q003"], r"0*(\d+)$"),
    "variants": (
        ["a_1", "a_2", "b_1", "b_2"],
        ["a", "b"],
        r"^(.+?)(?:[_ -]\d+)?$",
    ),
}


@pytest.mark.parametrize("kind", NAMES)
def test_pattern_is_proposed_from_the_names(kind):
    inputs, targets, pattern = NAMES[kind]
    source = source_of(
        *(f"in/{name}.png" for name in inputs), *(f"out/{name}.jpg" for name in targets)
    )
    with pytest.raises(InputError) as caught:
        form_pairs(source, pairing())
    total = len(inputs) + len(targets)
    assert f"pairing.pattern={pattern} finds partners for {total}" in str(caught.value)
    assert ("audit.leave_out" in str(caught.value)) == (kind == "variants")
    assert not any(c.reason for c in form_pairs(source, pairing(pattern=pattern)))


def test_pattern_is_proposed_for_a_part_of_the_files(caplog):
    same = [f"{folder}/{name}.png" for folder in ("in", "out") for name in "abc"]
    form_pairs(source_of(*same, "in/D.png", "out/d.png"), pairing())
    assert "Without a clear partner: 2 files; pairing.pattern=(?i)(.*)" in caplog.text


def test_no_pattern_is_proposed_without_need(caplog):
    form_pairs(source_of("in/a.png", "in/x.png", "out/a.png"), pairing())
    assert not caplog.records
