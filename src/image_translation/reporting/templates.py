"""Templates of the pages, and their common functions."""

import base64
import hashlib
import json
from functools import cache
from importlib import resources

import jinja2
from markupsafe import Markup

from image_translation.common import wording
from image_translation.reporting import formatting
from image_translation.reporting.svg import swatch


@cache
def read_template(name: str) -> jinja2.Template:
    """A template of this package; it may include others by name."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(read_resource),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        swatch=lambda model, line=False: Markup(swatch(model, line=line)),
        breakable=lambda name: Markup("_<wbr>").join(name.split("_")),
        count=wording.count,
        value_range=formatting.value_range,
        join_words=wording.join_words,
        text=formatting.text,
        zip=zip,
        resource=lambda name: Markup(read_resource(name)),
        script_hash=lambda script: Markup(script_hash(script)),
    )
    return environment.get_template(name)


def read_resource(name: str) -> str:
    """A file of this package, such as a style sheet."""
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def script_hash(script: str) -> str:
    """Hash of an allowed script, for a content security policy."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def script_json(data: object) -> Markup:
    """Data as JSON inside a page, escaped so that it cannot end its element."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", r"\u003c"))
