"""The README and the pages say what is so: generated parts, links, commands, paths and build files."""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from pipeline.engine.build_file import build_schema
from schemas.records import Sample
from tests.docs.recipes import DOCS, ROOT, blocks, files
from tools.cli.main import app
from tools.dev.docs.links import broken, external
from tools.dev.docs.markdown import filled, heading_id, table
from tools.dev.docs.pages import stale

PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
LA_ROCHELLE = ROOT / "configs" / "regions" / "la-rochelle.yaml"


def ids(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def test_generated_parts_are_those_of_the_code() -> None:
    assert [page.name for page in stale(DOCS)] == [], "run: make docs"


def test_every_key_of_the_build_file_is_described() -> None:
    schema = build_schema()
    sections = {"Build": schema, **schema["$defs"]}
    missing = [
        f"{section}.{key}"
        for section, definition in sections.items()
        for key, value in definition["properties"].items()
        if len(value.get("description", "")) < 5
    ]
    assert missing == []


def test_every_key_of_the_build_file_is_required_or_has_a_default_and_lengths_have_units() -> None:
    schema = build_schema()
    units = {}
    for definition in (schema, *schema["$defs"].values()):
        for key, value in definition["properties"].items():
            assert "default" in value or "const" in value or key in definition.get("required", []), key
            units[key] = value.get("x-unit")
    assert {key for key, unit in units.items() if unit is None} & {
        k for k in units if k.endswith(("_m", "_s", "_px"))
    } == set()
    assert (units["spacing_m"], units["read_timeout_s"], units["shard_mb"]) == ("m", "s", "MB")
    assert (units["max_sites"], units["title"], units["gpu_hour"]) == (None, None, "currency")


def test_every_column_is_described() -> None:
    schema = Sample.model_json_schema()
    records = {"Sample": schema, **schema["$defs"]}
    missing = [
        f"{record}.{column}"
        for record, definition in records.items()
        for column, value in definition.get("properties", {}).items()
        if len(value.get("description", "")) < 5
    ]
    assert missing == []


def test_the_readme_is_short_and_its_picture_small() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 150
    assert (DOCS / "samples.png").stat().st_size < 300_000


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_links_lead_somewhere(page: Path) -> None:
    assert list(broken(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_paths_and_modules_are_there(page: Path) -> None:
    made = {block.title for recipe in PAGES for block in files(recipe)}
    text = page.read_text(encoding="utf-8")
    folders = "configs|docs|pipeline|prompts|schemas|tests|tools"
    for path in set(re.findall(rf"(?<![\w/.-])(?:{folders})/[\w./-]*\w/?", text)):
        assert (ROOT / path).exists() or path in made, path
    for name in set(re.findall(r"python -m (tools\.[\w.]+\w)", text)):
        assert importlib.util.find_spec(name) is not None, name


def commands(page: Path) -> Iterator[list[str]]:
    """Each `geoscribe ...` of a page, in blocks and in running text, as words."""
    text = page.read_text(encoding="utf-8")
    code = "\n".join(block.text for block in blocks(page)).replace("\\\n", " ")  # what is continued on the next line
    shown = re.findall(r"^(?:\$ )?(geoscribe [^#\n]+)", code, re.MULTILINE)
    for command in [*shown, *re.findall(r"`(geoscribe [^`]+)`", text)]:
        yield shlex.split(command)[1:]


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_commands_and_their_options_are_there(page: Path) -> None:
    for words in commands(page):
        command: Any = typer.main.get_command(app)
        rest = list(words)
        while rest and hasattr(command, "commands") and not rest[0].isupper() and not rest[0].startswith("-"):
            assert rest[0] in command.commands, f"geoscribe {' '.join(words)}"
            command = command.commands[rest.pop(0)]
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        ours = rest[: rest.index("--")] if "--" in rest else rest
        assert {word for word in ours if word.startswith("--")} <= known, f"geoscribe {' '.join(words)}"


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_make_has_the_targets(page: Path) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for named in re.findall(r"`make ([\w -]+)`|^make ([\w-]+)", page.read_text(encoding="utf-8"), re.MULTILINE):
        assert set(" ".join(named).split()) <= targets, named


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "regional-build.md"], ids=ids)
def test_la_rochelle_is_told_as_it_is(page: Path) -> None:
    told = next(block for block in blocks(page) if block.language == "yaml")
    real = yaml.safe_load(LA_ROCHELLE.read_text())
    del real["publish"]
    assert yaml.safe_load(told.text) == real


def test_python_and_yaml_blocks_can_be_read() -> None:
    for page in PAGES:
        for block in blocks(page):
            if block.language == "python":
                compile(block.text, page.name, "exec")
            if block.language == "yaml":
                assert isinstance(yaml.safe_load(block.text), dict)


def test_a_link_to_nowhere_is_told(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Here\n[a](#here) [b](#there) [c](other.md) [d](page.md#here) [e](https://example.org)\n![f](f.png)\n"
    )
    assert [fault.split(": ", 1)[1] for fault in broken(page)] == [
        "#there: no such heading",
        "other.md: no such file",
        "f.png: no such file",
    ]
    assert external(page) == ["https://example.org"]


def test_a_generated_part_is_put_in_its_place() -> None:
    page = "before\n<!-- generated: a -->\nold\n<!-- end -->\nafter\n"
    once = filled(page, {"a": "new | \\1"})
    assert once == "before\n<!-- generated: a -->\n\nnew | \\1\n\n<!-- end -->\nafter\n"
    assert filled(once, {"a": "new | \\1"}) == once
    with pytest.raises(ValueError, match="0 places for the generated part 'b'"):
        filled(page, {"b": ""})


def test_tables_and_heading_ids() -> None:
    assert table(["A", "B"], [["x|y", " z\nw "]]) == "| A | B |\n| --- | --- |\n| x\\|y | z w |\n"
    assert table(["A"], []) == ""
    assert heading_id("sources.street.NAME: type folder") == "sourcesstreetname-type-folder"
