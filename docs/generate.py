"""Generate the reference pages from code and configuration during the MkDocs build."""

import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic import TypeAdapter

from image_translation.cli import cli
from image_translation.common.schema import flatten
from image_translation.config.parameters import (
    COMMON_SECTIONS,
    MODEL_SECTIONS,
    TASK_SECTIONS,
)
from image_translation.metrics import MEASURES
from image_translation.pipeline_registry import TASKS
from image_translation.reporting import formatting

ROOT = Path(__file__).parents[1]
CONF = ROOT / "conf"
ENVIRONMENTS = ("smoke", "kaggle", "sweep")
SPACE = "tuning.space."
COMMENT = re.compile(r"(?:^|\s)#\s*(.*)$")
CODE = re.compile(r"(`[^`]*`)")
FAMILIES = {
    "fidelity": "Fidelity: agreement with the target, pixel by pixel",
    "colour": "Colour",
    "realism": "Realism of the whole set",
    "learned": "Learned, if you have the weights",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to the files of the folder."""
    pages = {
        "parameters": parameters_page(),
        "datasets": datasets_page(),
        "metrics": metrics_page(),
    }
    for name, content in pages.items():
        path = f"reference/{name}.md"
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the marker ``<!-- commands -->`` with the project's commands."""
    return markdown.replace("<!-- commands -->", commands_section())


def commands_section() -> str:
    """Every command that the project adds to ``kedro``, with its options."""
    parts = []
    for name, command in _commands(cli):
        parts.append(f"### kedro {name}")
        parts.append(inspect.cleandoc(command.help or "").partition("\n\n")[0])
        lines = [
            row(f"`{', '.join(option.opts)}`", option.help or "")
            for option in command.params
            if isinstance(option, click.Option) and not option.hidden
        ]
        if lines:
            parts.append("\n".join([row("option", "description"), "|---|---|", *lines]))
    return "\n\n".join(parts)


def _commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from _commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def parameters_page() -> str:
    """Every parameter: type and range, default, meaning."""
    schemas = schema_by_name()
    parts = [
        "# Parameters",
        "Generated from the schema and from `conf/base`. Every parameter except those"
        " of the app can be set for all tasks, for a task"
        " (`colorization.training.epochs`), for a model (`models.unet.training.epochs`)"
        " and for a model of a task (`colorization.unet.training.epochs`): in"
        " `conf/base`, in an environment, in `conf/local/parameters.yml`, or on the"
        " command line, which takes precedence. An unset value is written `null`.",
    ]
    shared = parameters_of(CONF / "base/parameters.yml")
    section = ""
    for name, (default, meaning) in shared.items():
        if name.startswith(("models.", SPACE)):
            continue
        if name.partition(".")[0] != section:
            section = name.partition(".")[0]
            parts += [
                f"## {section}",
                "| parameter | type and range | default | meaning |\n|---|---|---|---|",
            ]
        kind = describe(schemas[name])
        parts[-1] += f"\n{row(f'`{name}`', kind, f'`{default}`', meaning)}"
    parts += ["## tuning.space", *_space_section(CONF / "base/parameters.yml")]
    parts += ["## source", *_source_section(schemas["source"])]
    parts += ["## models", *_models_section(shared, schemas)]
    parts += ["## Changes by tasks and environments", *_differences()]
    return "\n\n".join(parts) + "\n"


def _source_section(schema: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"`source`, {describe(schema)}, is set for each task; [Use your own"
        " pairs](../howto/own-pairs.md#sources) lists the possible sources. Relative"
        " paths start at the folder in which the command is run."
    )


def _space_section(file: Path) -> Iterator[str]:
    yield (
        "The search space of tuning, by parameter of the model: `low` and `high`, with"
        " `log: true` or a `step`; or `choices: a|b`. `gan: true` restricts a parameter"
        " to models with an adversarial loss; `null` instead of a range excludes it."
        " Any parameter of `network`, `objective`, `training` and `inference` can be"
        " searched, except those that are the same for all trials, such as the seed."
    )
    ranges: dict[str, dict[str, str]] = {}
    for name, (value, _) in parameters_of(file).items():
        if name.startswith(SPACE):
            parameter, _, key = name.removeprefix(SPACE).rpartition(".")
            ranges.setdefault(parameter, {})[key] = value
    lines = [
        row(f"`{SPACE}{name}`", f"`{', '.join(f'{k}: {v}' for k, v in given.items())}`")
        for name, given in ranges.items()
    ]
    yield "\n".join(["| parameter | searched |\n|---|---|", *lines])


def _models_section(
    shared: Mapping[str, tuple[str, str]], schemas: Mapping[str, Any]
) -> Iterator[str]:
    yield "A model is a network and an objective; `enabled: false` excludes it."
    blocks: dict[str, dict[str, str]] = {}
    for name, (default, _) in shared.items():
        if name.startswith("models."):
            _, model, parameter = name.split(".", 2)
            blocks.setdefault(model, {})[parameter] = default
    columns = ["enabled", "network.name", "objective.adversarial", "objective.l1"]
    head = ["model", *(f"`{column}`" for column in columns)]
    rows = [
        row(f"`{model}`", *(values.get(column, "") for column in columns))
        for model, values in blocks.items()
    ]
    kinds = row("type and range", *(describe(schemas[column]) for column in columns))
    yield "\n".join([row(*head), "|---" * len(head) + "|", *rows, kinds])
    yield "Further parameters that single models set:"
    others = [
        row(f"`models.{model}.{name}`", f"`{value}`")
        for model, values in blocks.items()
        for name, value in values.items()
        if name not in columns
    ]
    yield "\n".join([row("parameter", "value"), "|---" * 2 + "|", *others])


def _differences() -> Iterator[str]:
    files = [CONF / "base" / f"parameters_{task}.yml" for task in TASKS]
    for environment in ENVIRONMENTS:
        files += sorted((CONF / environment).glob("parameters*.yml"))
    for file in files:
        lines = [
            row(f"`{name}`", f"`{value}`", meaning)
            for name, (value, meaning) in parameters_of(file).items()
        ]
        head = [row("parameter", "value", ""), "|---|---|---|"]
        _, _, task = file.stem.partition("_")
        place = [file.parent.name] if file.parent.name != "base" else []
        yield f"### {', '.join([*place, task or 'all tasks'])}"
        yield f"In `{file.relative_to(ROOT).as_posix()}`:"
        yield "\n".join([*head, *lines])


def datasets_page() -> str:
    """Every catalogued dataset, by layer."""
    data = yaml.safe_load((CONF / "base/globals.yml").read_text("utf-8"))
    parts = [
        "# Datasets",
        "Generated from `conf/base/catalog_*.yml`. `{task}`, `{model}` and `{subset}`"
        " are placeholders for names:"
        ' `catalog.load("colorization.pix2pix.scores")`. With `--env=smoke`, `data/` is'
        " `data/smoke/`.",
    ]
    for file in sorted((CONF / "base").glob("catalog_*.yml")):
        entries = yaml.safe_load(file.read_text("utf-8"))
        shown = (e.get("metadata", {}).get("kedro-viz", {}) for e in entries.values())
        layer = next(each["layer"] for each in shown if "layer" in each)
        meanings = comments_above(file)
        lines = [row("dataset", "description", "file or folder"), "|---" * 3 + "|"]
        for name, entry in entries.items():
            path = entry["filepath"].replace("${globals:data}", data["data"])
            kind = entry["type"].rpartition(".")[2]
            text = f"{meanings[name]} {kind}." if name in meanings else ""
            lines.append(row(f"`{name}`", text, f"`{path}`"))
        parts += [f"## {layer.replace('_', ' ').capitalize()}", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def metrics_page() -> str:
    """Every metric with its definition and source."""
    parts = [
        "# Metrics",
        "Generated from `metrics/registry.py`. Metrics of an image are computed for"
        " every test image and replicate (`scores.csv`); metrics of a set compare all"
        " predictions with all targets (`set_scores.csv`). Predictions are scored as"
        " 8-bit images, as they are stored. [Statistics](../statistics.md) describes"
        " means, intervals and verdicts.",
    ]
    for family, title in FAMILIES.items():
        parts.append(f"## {title}")
        for measure in MEASURES.values():
            if measure.family != family:
                continue
            better = "higher" if measure.higher_is_better else "lower"
            unit = f" {measure.unit}" if measure.unit else ""
            parts += [
                f"### {measure.label}",
                plain(measure.definition),
                f"`{measure.name}`, {formatting.value_range(measure.name)}{unit};"
                f" {better} is better. {plain(measure.source)}.",
                f"Practically equal within ±{measure.margin:g}{unit}:"
                f" {measure.margin_reason}."
                if measure.margin
                else "No margin of practical equality is known.",
            ]
    return "\n\n".join(parts) + "\n"


def schema_by_name() -> dict[str, Any]:
    """JSON schema of every parameter, by dotted name."""
    found: dict[str, Any] = {}
    sections = {**TASK_SECTIONS, **MODEL_SECTIONS, **COMMON_SECTIONS}
    for name, section in sections.items():
        schema = TypeAdapter(section).json_schema()
        found |= _leaves(name, schema, schema.get("$defs", {}))
    return found


def _leaves(
    name: str, schema: Mapping[str, Any], definitions: Mapping[str, Any]
) -> dict[str, Any]:
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    if "properties" not in schema:
        return {name: schema}
    return {
        key: leaf
        for inner, value in schema["properties"].items()
        for key, leaf in _leaves(f"{name}.{inner}", value, definitions).items()
    }


def describe(schema: Mapping[str, Any]) -> str:
    """Describe a JSON schema, such as ``whole number, 1 or more``."""
    if "anyOf" in schema:
        return " or ".join(describe(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    names = {
        "integer": "whole number",
        "number": "number",
        "boolean": "`true` or `false`",
        "string": "text",
        "array": "names, `a|b`",
        "null": "`null`",
    }
    bounds = {
        "minimum": "{} or more",
        "exclusiveMinimum": "above {}",
        "maximum": "{} or less",
        "exclusiveMaximum": "below {}",
    }
    if {"minimum", "maximum"} <= schema.keys():
        limits = [f"{schema['minimum']:g} to {schema['maximum']:g}"]
    else:
        limits = [
            text.format(f"{schema[key]:,.15g}")
            for key, text in bounds.items()
            if key in schema
        ]
    return ", ".join([names[schema["type"]], *limits])


def parameters_of(file: Path) -> dict[str, tuple[str, str]]:
    """Value and comment of every parameter in a file, by dotted name."""
    text = file.read_text("utf-8")
    values = flatten(yaml.safe_load(text) or {})
    lines = text.splitlines()
    where = {name: line for name, line in _lines_of(yaml.compose(text))}
    return {
        name: (yaml_text(value), _comment(lines[where[name]]))
        for name, value in values.items()
    }


def _lines_of(node: Any, prefix: str = "") -> Iterator[tuple[str, int]]:
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        if isinstance(value, yaml.MappingNode):
            yield from _lines_of(value, f"{name}.")
        else:
            yield name, key.start_mark.line


def comments_above(file: Path) -> dict[str, str]:
    """The comment directly above each top-level name."""
    found, comment = {}, ""
    for line in file.read_text("utf-8").splitlines():
        if line.startswith("#"):
            comment = f"{comment} {line.lstrip('# ')}".strip()
            continue
        if line and not line[0].isspace():
            found[line.rstrip(":").strip('"')] = comment
        comment = ""
    return found


def yaml_text(value: Any) -> str:
    """A value as YAML writes it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _comment(line: str) -> str:
    match = COMMENT.search(line)
    return match.group(1).strip() if match else ""


def row(*cells: str) -> str:
    """A row of a Markdown table, with bars and HTML in its cells escaped."""
    return f"| {' | '.join(_escaped(cell) for cell in cells)} |"


def _escaped(cell: str) -> str:
    text = " ".join(cell.split())
    parts = CODE.split(text)
    parts[::2] = [part.replace("<", "&lt;").replace("|", "\\|") for part in parts[::2]]
    return "".join(parts)


def plain(text: str) -> str:
    """Text with Markdown's emphasis escaped, as in L*a*b*."""
    return text.replace("*", "\\*").replace("_", "\\_")
