import pytest
from pydantic import ValidationError

from tests.training.conftest import make_settings
from tests.tuning.conftest import make_tuning


def problem(**changes):
    with pytest.raises(ValidationError) as caught:
        make_tuning(**changes)
    detail = caught.value.errors()[0]
    return ".".join(map(str, detail["loc"])), detail["msg"]


@pytest.mark.parametrize(
    ("space", "name", "says"),
    [
        (
            {"training.learning_rat": {"low": 1e-4, "high": 1e-3}},
            "training.learning_rat",
            "Did you mean training.learning_rate?",
        ),
        (
            {"training": {"schedule": {"choices": "linear|step"}}},
            "training.schedule",
            "'constant', 'linear' or 'cosine'",
        ),
        (
            {"training": {"ema": {"low": 0.9, "high": 1.5}}},
            "training.ema",
            "less than 1",
        ),
        ({"training": {"seed": {"choices": "1|2"}}}, "training.seed", "lucky seed"),
        ({"training": {"epochs": "1|2"}}, "training.epochs", "set tuning.epochs"),
        (
            {"training": {"flip": {"low": 0, "high": 1}}},
            "training.flip",
            "choices: a|b",
        ),
        ({"objective": {"l1": {"low": 9, "high": 1}}}, "objective.l1", "below high"),
        ({"objective": {"l1": {"low": 1}}}, "objective.l1", "low and high"),
        (
            {"objective": {"l1": {"low": 0, "high": 1, "log": True}}},
            "objective.l1",
            "log needs a low above 0",
        ),
    ],
)
def test_unsearchable_parameter_is_an_error(space, name, says):
    where, message = problem(space=space)
    assert where == f"space.{name}" and name in message and says in message


def test_values_have_the_types_of_the_parameters():
    space = {
        "network": {"base_channels": {"choices": "4|8"}},
        "training": {"ema": {"choices": "null|0.99"}, "flip": "true|false"},
        "objective.l1": {"low": "1", "high": "2"},
    }
    searched = make_tuning(space=space).space
    assert searched["network.base_channels"].choices == (4, 8)
    assert searched["training.ema"].choices == (None, 0.99)
    assert searched["training.flip"].choices == (True, False)
    assert searched["objective.l1"].low == 1.0


def test_nested_and_dotted_names_are_equivalent_and_null_excludes():
    nested = {"training": {"learning_rate": {"low": "1e-4", "high": "1e-2"}}}
    dotted = {"training.learning_rate": {"high": "1e-3"}, "objective": {"l1": "null"}}
    space = make_tuning(space={**nested, **dotted}).space
    assert list(space) == ["training.learning_rate"]
    assert (space["training.learning_rate"].high) == 1e-3


def test_dump_round_trip():
    tuning = make_tuning()
    assert make_tuning(**tuning.model_dump()) == tuning


def test_gan_parameters_are_not_searched_without_a_gan():
    tuning = make_tuning()
    assert "objective.l1" not in tuning.dimensions(make_settings("unet"))
    assert "objective.l1" in tuning.dimensions(make_settings("pix2pix"))


def test_grid_of_a_range_without_steps_is_an_error():
    _, message = problem(sampler="grid")
    assert "space.training.learning_rate: a grid needs" in message


def test_search_outside_the_space_is_an_error():
    _, message = problem(search="training.beta1")
    assert "training.beta1 is not in tuning.space" in message
