"""`geoscribe sources list`: every known source, with what one must know before using it."""

import re

import pytest
from typer.testing import CliRunner

from pipeline.errors import ConfigError
from pipeline.sources.listing import listing
from tools.cli.sources import sources_app

RUN = CliRunner()


def shown(*arguments: str) -> str:
    result = RUN.invoke(sources_app, ["list", *arguments], env={"COLUMNS": "400"})
    assert result.exit_code == 0, result.exception
    return result.output


def test_each_source_stands_in_a_line_with_licence_key_limits_and_date() -> None:
    lines = {line.split()[0]: line for line in shown().splitlines() if line.split()}
    for name, source in listing().items():
        line = lines[name]
        assert source.licence in line
        assert source.area in line
        assert (source.key_env or " none ") in line
        assert re.search(rf"{source.checked_on} \({source.checked}\)", line)
        limits = "refused for its terms" if source.refused else f"{source.per_s:g}/s, {source.at_once} at once"
        assert limits in line
        if source.per_day and not source.refused:
            assert f"{source.per_day:,}/day" in line


def test_one_kind_and_notes() -> None:
    street = shown("--kind", "street", "--notes")
    assert "mapillary" in street
    assert "overture" not in street
    refused = [source for source in listing().values() if source.kind == "street" and source.refused]
    assert refused
    words = " ".join(street.split())
    assert all(" ".join((source.refused or "").split())[:60] in words for source in refused)
    with pytest.raises(ConfigError):
        RUN.invoke(sources_app, ["list", "--kind", "satellite"], catch_exceptions=False)
