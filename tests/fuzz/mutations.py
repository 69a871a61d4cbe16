"""Strategies of inputs that are nearly valid: valid ones with some values, fields, tags or bytes changed."""

import copy
import json
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any
from xml.etree import ElementTree as ET

import yaml
from hypothesis import strategies as st

Bytes = st.SearchStrategy[bytes]

NUMBERS: list[Any] = [0, -1, 1, 255, 256, 65_535, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**63, 2**64, 10**40, -(10**18)]
FLOATS: list[Any] = [0.5, -0.0, 1e-300, 1e300, 180.0000001, 90.5, -181.0, float("nan"), float("inf"), float("-inf")]
TEXTS: list[Any] = [
    "", " ", "x" * 3_000, "\ud800", "\x00", "a\nb", "../../etc/passwd", "http://[::1", "https://x:99999/a.jpg", "//x/y",
    "file:///etc/passwd", "2026-13-45", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "NaN", "1e999", "{}",
    "%s%n", "'; --", "\u202e\u0000\ufeff", "-", "null", "POLYGON ((0 0))", "EPSG:4326", "CC-BY-4.0", "*a", "&a [*a]",
]  # fmt: skip
OTHERS: list[Any] = [None, True, False, [], {}, [[]], [None], {"a": 1}, [1, "a", None], {"": {}}, [[[[[]]]]]]
ODD = [*NUMBERS, *FLOATS, *TEXTS, *OTHERS]
_YAML_VALUES = [": &a ", ": *a ", ": !!int ", ": !!binary ", ": 2026-03-01 #", ": 1:2:3 #", ": .inf #", ": | "]
_MOST_ELEMENTS = 2_000
_CORNERS = [0, 1, 2, 0x7F, 0x80, 0xFF]


def nearly(seeds: Sequence[bytes]) -> Bytes:
    """Bytes of a seed, some of them changed, doubled, cut out or swapped for those of another."""
    known = list(seeds)
    return st.builds(
        lambda chance, number: _spoilt_bytes(chance, known, number),
        st.randoms(use_true_random=False),
        st.integers(1, 4),
    )


def nearly_json(seeds: Sequence[Any]) -> Bytes:
    """A JSON document of a seed's, with some values changed."""
    return st.builds(
        lambda chance, number: _maybe_bytes(chance, _dump(_spoilt_value(chance, chance.choice(list(seeds)), number))),
        st.randoms(use_true_random=False),
        st.sampled_from([1, 1, 1, 2, 3]),
    )


def nearly_yaml(seeds: Sequence[Any]) -> st.SearchStrategy[str]:
    """A YAML document of a seed's, with some values and lines changed."""

    def made(chance: Any, number: int) -> str:
        value = _spoilt_value(chance, chance.choice(list(seeds)), number)
        try:
            text: str = yaml.safe_dump(value, allow_unicode=True, default_flow_style=chance.random() < 0.2)
        except (yaml.YAMLError, UnicodeError):
            text = _dump(value).decode()
        lines = text.split("\n")
        for _ in range(chance.choice([0, 0, 1, 2])):
            place = chance.randrange(len(lines))
            line = lines[place]
            lines[place] = chance.choice([
                line * 2, line[:-2], f"{line} [", f"\t{line}", *(line.replace(": ", odd) for odd in _YAML_VALUES),
                "  <<: *a", "? [a]", "--- x", "%Y", "- - - x", "a: " + "[" * 200 + "]" * 200,
            ])  # fmt: skip
        return "\n".join(lines)

    return st.builds(made, st.randoms(use_true_random=False), st.integers(0, 4))


def nearly_xml(seeds: Sequence[bytes]) -> Bytes:
    """An XML document of a seed's, with some elements, attributes and texts changed."""

    def made(chance: Any, number: int) -> bytes:
        root = ET.fromstring(chance.choice(list(seeds)))
        for _ in range(number):
            parents = [element for element in root.iter() if len(element)]
            element = chance.choice(list(root.iter()))
            odd = str(chance.choice([*TEXTS, *NUMBERS, *FLOATS]))
            odd = "".join(c for c in odd if c == "\n" or (c.isprintable() and c < "\ud800"))
            small = sum(1 for _ in root.iter()) < _MOST_ELEMENTS
            action = chance.randrange(7 if small else 5)  # 5 and 6 make it larger
            if action == 0:
                element.text = odd
            elif action == 1 and element.attrib:
                element.set(chance.choice(sorted(element.attrib)), odd)
            elif action == 2 and element.attrib:
                del element.attrib[chance.choice(sorted(element.attrib))]
            elif action == 3 and parents:
                parent = chance.choice(parents)
                parent.remove(chance.choice(list(parent)))
            elif action == 4:
                element.tag = chance.choice(list(root.iter())).tag
            elif action == 5 and parents:
                parent = chance.choice(parents)
                parent.extend([copy.deepcopy(chance.choice(list(parent))) for _ in range(chance.choice([1, 2, 50]))])
            else:
                element.append(copy.deepcopy(element))
        text: bytes = ET.tostring(root)
        if chance.random() < 0.05:
            text = b'<!DOCTYPE a [<!ENTITY b "' + b"c" * 50 + b'"><!ENTITY d "&b;&b;&b;">]>' + text
        return _maybe_bytes(chance, text)

    return st.builds(made, st.randoms(use_true_random=False), st.integers(1, 4))


def nearly_csv(seeds: Sequence[str]) -> Bytes:
    """A table of a seed's as text, with some cells and separators changed."""

    def made(chance: Any, number: int) -> bytes:
        rows = [line.split(",") for line in chance.choice(list(seeds)).split("\n")]
        for _ in range(number):
            row = chance.choice(rows)
            odd = str(chance.choice([*TEXTS, *NUMBERS, *FLOATS, '"', '""', '"a', "a;b", "\r", "\ufeff"]))
            action = chance.randrange(4)
            if action == 0:
                row[chance.randrange(len(row))] = odd
            elif action == 1:
                row.append(odd)
            elif action == 2 and len(row) > 1:
                del row[chance.randrange(len(row))]
            else:
                rows.append(copy.copy(chance.choice(rows)))
        text = "\n".join(",".join(row) for row in rows)
        return _maybe_bytes(chance, text.encode("utf-8", "surrogatepass"))

    return st.builds(made, st.randoms(use_true_random=False), st.integers(1, 5))


def packed(inner: Bytes, pack: Callable[[bytes], bytes]) -> Bytes:
    """Inputs in a sound packing: what is inside is reached, which changed bytes of the outside never let through."""
    return inner.map(pack)


def nearly_png(seeds: Sequence[bytes]) -> Bytes:
    """PNG pictures with changed chunks whose checksums are right."""

    def made(chance: Any, number: int) -> bytes:
        chunks = list(_png_chunks(chance.choice(list(seeds))))
        for _ in range(number):
            place = chance.randrange(len(chunks))
            kind, data = chunks[place]
            action = chance.randrange(4)
            if action == 0 and data:
                chunks[place] = kind, _spoilt_bytes(chance, [data], 2)
            elif action == 1:
                chunks.insert(place, chunks[chance.randrange(len(chunks))])
            elif action == 2 and len(chunks) > 1:
                del chunks[place]
            elif kind == b"IHDR" and len(data) == 13:
                numbers = list(struct.unpack(">IIBBBBB", data))
                numbers[chance.randrange(7)] = chance.choice([0, 1, 2, 3, 4, 6, 8, 16, 255])
                if chance.random() < 0.3:
                    numbers[chance.randrange(2)] = chance.choice([0, 1, 9_000, 65_535, 2**31 - 1])
                chunks[place] = kind, struct.pack(">IIBBBBB", *numbers)
        parts = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
        return b"\x89PNG\r\n\x1a\n" + b"".join(parts)

    return st.builds(made, st.randoms(use_true_random=False), st.integers(1, 4))


def nearly_tiff(seeds: Sequence[bytes]) -> Bytes:
    """Little-endian TIFF files with changed entries in their first directory."""

    def made(chance: Any, number: int) -> bytes:
        data = bytearray(chance.choice(list(seeds)))
        (directory,) = struct.unpack_from("<I", data, 4)
        (count,) = struct.unpack_from("<H", data, directory)
        for _ in range(number):
            place = directory + 2 + 12 * chance.randrange(count)
            tag, kind, values, value = struct.unpack_from("<HHII", data, place)
            odd = chance.choice([0, 1, 2, 3, 7, 8, 16, 256, 65_535, 2**31, 2**32 - 1, chance.randrange(len(data))])
            action = chance.randrange(4)
            if action == 0:
                tag = chance.choice([tag + 1, 256, 257, 258, 259, 262, 273, 277, 279, 317, 339, 33_550, 34_735, 42_113])
            elif action == 1:
                kind = chance.randrange(14)
            elif action == 2:
                values = odd
            else:
                value = odd
            struct.pack_into("<HHII", data, place, tag & 0xFFFF, kind, values, value)
        return _maybe_bytes(chance, bytes(data))

    return st.builds(made, st.randoms(use_true_random=False), st.integers(1, 4))


def _png_chunks(data: bytes) -> Any:
    place = 8
    while place + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        yield data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        place += 12 + length


def _spoilt_bytes(chance: Any, seeds: list[bytes], number: int) -> bytes:
    data = bytearray(chance.choice(seeds))
    for _ in range(number):
        place = chance.randrange(len(data) + 1)
        length = chance.choice([1, 1, 2, 4, 8, 16, 64, 300])
        action = chance.randrange(8)
        if action == 0 and place < len(data):
            data[place] ^= 1 << chance.randrange(8)
        elif action == 1 and place < len(data):
            data[place] = chance.choice(_CORNERS)
        elif action == 2:
            order = chance.choice(["little", "big"])
            width = chance.choice([2, 4, 8])
            odd = chance.choice([*NUMBERS[:12], chance.randrange(2**32)]) % 2 ** (8 * width)
            data[place : place + width] = odd.to_bytes(width, order)
        elif action == 3:
            del data[place : place + length]
        elif action == 4:
            data[place:place] = data[place : place + length] * chance.choice([1, 2, 40])
        elif action == 5:
            data[place:place] = bytes(length)
        elif action == 6:
            other = chance.choice(seeds)
            start = chance.randrange(len(other) + 1)
            data[place : place + length] = other[start : start + length]
        elif chance.random() < 0.2:
            del data[place:]
    return bytes(data)


def _maybe_bytes(chance: Any, data: bytes) -> bytes:
    """Sometimes with bytes changed too."""
    return _spoilt_bytes(chance, [data], 1) if chance.random() < 0.15 else data


def _dump(value: Any) -> bytes:
    return json.dumps(value).encode()  # NaN and lone surrogates as some writers have them


def spoilt(chance: Any, value: Any, number: int) -> Any:
    """A copy of a value of lists, dictionaries and scalars, with some of them changed."""
    return _spoilt_value(chance, value, number)


def _spoilt_value(chance: Any, value: Any, number: int) -> Any:
    holder = [copy.deepcopy(value)]
    for _ in range(number):
        places = list(_places(holder))
        container, key = chance.choice(places)
        action = chance.randrange(9)
        old = container[key]
        if action <= 2:
            container[key] = copy.deepcopy(chance.choice(ODD))
        elif action == 3:
            other, name = chance.choice(places)
            container[key] = copy.deepcopy(other[name])
        elif action == 4 and container is not holder:
            del container[key]
        elif action == 5:
            container[key] = [old]
        elif action == 6 and isinstance(old, list) and old:
            old.extend(copy.deepcopy(old[: chance.choice([1, 3])]) * chance.choice([1, 30]))
        elif action == 7 and isinstance(old, int | float) and not isinstance(old, bool):
            container[key] = chance.choice([-old, old + 1, old + 0.5, old * 1_000, str(old), [old, old]])
        elif isinstance(old, str):
            container[key] = chance.choice([old[:-1], old * 2, old.upper(), f" {old}", f"{old}\ud800", old[::-1]])
        else:
            container[key] = None
    return holder[0]


def _places(value: Any) -> Any:
    """Every place in a value where something stands, as container and key."""
    keys = range(len(value)) if isinstance(value, list) else list(value)
    for key in keys:
        yield value, key
        if isinstance(value[key], list | dict):
            yield from _places(value[key])
