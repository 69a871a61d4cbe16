"""YAML from outside: taken as written, or refused in one line with its place, at little cost."""

from typing import Any

import pytest
import yaml

from pipeline.config.strict_yaml import parse_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-03-01", "2026-03-01"),
        ("2026-03-01T10:20:30Z", "2026-03-01T10:20:30+00:00"),
        ("2026-03-01T10:20:30", "2026-03-01T10:20:30"),
        ("2001-12-14 21:59:43.10 -5", "2001-12-14T21:59:43.100000-05:00"),
        ("'2026-03-01'", "2026-03-01"),
        ("2026-10-21.0", "2026-10-21.0"),
        ('"\\uD83D\\uDE00"', "😀"),
        ("{x: &a [1, 2], y: *a}", {"x": [1, 2], "y": [1, 2]}),
        ("{x: &a {b: 1}, y: {<<: *a, c: 2}}", {"x": {"b": 1}, "y": {"b": 1, "c": 2}}),
    ],
)
def test_what_is_sound_is_taken(text: str, value: Any) -> None:
    assert parse_yaml(f"key: {text}") == {"key": value}


def lines(first: str, following: str, separator: str) -> str:
    """An anchor, and 29 that each name the one before nine times."""
    each = (f"a{n}: &a{n} {following.format(separator.join([f'*a{n - 1}'] * 9))}" for n in range(1, 30))
    return "\n".join([f"a0: &a0 {first}", *each])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 1_500 + "]" * 1_500, "more than 100 levels"),
        ("\n".join(" " * n + "a:" for n in range(1_500)), "more than 100 levels"),
        ("- " * 3_000 + "x", "more than 100 levels"),
        (lines("[x, x]", "[{}]", ","), "aliases written out"),
        (lines("{x: 1}", "{{<<: [{}]}}", ","), "aliases written out"),
        ("a: &a [*a]", "an alias of what it stands in"),
        ("&a {<<: *a}", "an alias of what it stands in"),
        ('a: "\\uD800"', "surrogate"),
        ('"\\uDC00": 1', "surrogate"),
        ("a: 2026-13-45", "timestamp that cannot be read (month must be in 1..12)"),
        ("a: !!int x", "int that cannot be read"),
        ("a: !!int ''", "int that cannot be read"),
        ("a: !!timestamp x", "timestamp that cannot be read"),
        ("a: !!bool maybe", "bool that cannot be read"),
        ("a: " + "1" * 10_000, "int that cannot be read"),
        ("a: !!python/object/apply:os.system [x]", "could not determine a constructor"),
        ("a: 1\na: 2", "found a twice"),
    ],
)
def test_what_is_not_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(yaml.YAMLError) as caught:
        parse_yaml(text)
    message = " ".join(str(caught.value).split())
    assert said in message
    assert "line" in message
    assert len(message) < 600
