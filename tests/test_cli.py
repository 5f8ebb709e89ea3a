import click
import pytest
from click.testing import CliRunner
from kedro.framework.cli.utils import KedroCliError

from image_translation.cli import _with_readable_errors, parse_parameters, run
from image_translation.errors import InputError


def parse(text):
    return parse_parameters(click.Context(run), run.params[0], text)


def test_parameters_are_nested_and_stay_text():
    assert parse("source=on, training.epochs=007,training.seed=1") == {
        "source": "on",
        "training": {"epochs": "007", "seed": "1"},
    }


@pytest.mark.parametrize("value", ["a b", "a: b", "a #b", "${a}", "a=b", "Übung/é"])
def test_value_may_hold_what_yaml_would_read_otherwise(value):
    assert parse(f"source={value}") == {"source": value}


@pytest.mark.parametrize("text", ["source", "=x", "a..b=1", "a=1,a.b=2"])
def test_malformed_parameter_is_refused(text):
    with pytest.raises(KedroCliError, match="--params"):
        parse(text)


def test_input_error_anywhere_in_the_chain_is_shown_without_traceback():
    @click.command()
    @_with_readable_errors
    def command():
        try:
            raise InputError("no folder x; pass another one")
        except InputError as error:
            raise RuntimeError("wrapped") from error

    result = CliRunner().invoke(command)
    assert result.exit_code == 1
    assert result.output == "Error: no folder x; pass another one\n"


def test_other_errors_keep_their_traceback():
    @click.command()
    @_with_readable_errors
    def command():
        raise RuntimeError("a bug")

    assert isinstance(CliRunner().invoke(command).exception, RuntimeError)
