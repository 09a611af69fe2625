"""Valid input, mangled: odd values in place of good ones, fields twice or gone, bytes changed, encodings mixed up.

Everything is a function of a `Random`, which hypothesis provides, so that what fails is shrunk and can be repeated.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

ODD_NUMBERS = (
    "0", "-0", "-0.0", "1e400", "-1e400", "1e-400", "1e308", "1.7976931348623159e308", "5e-324", "NaN", "Infinity", "-Infinity",
    "9007199254740993", "18446744073709551616", "-9223372036854775809", "1" * 400, "9" * 5000, "0." + "3" * 400, "1e5", "1.0",
    "01", "+1", ".5", "5.", "0x10",
    "1_000", "315532799999", "315532800000", "4102444799999", "4102444800000", "1700000000000", "1700000600000",
    "1700000600001", "1700000600000.5",
)  # fmt: skip
ODD_STRINGS = (
    '""', '"\\ud800"', '"\\udc00\\ud800"', '"\\ud83d\\ude00"', '"\\u0000"', '"\0"', '"\x1f"', '"\\x"', '"\\u12"', '"',
    '"a\nb"', '"\ufeff"', '"\u202e"', '"NaN"', '"1"', '"e\u0301"',
    '"' + "x" * 128 + '"', '"' + "x" * 129 + '"', '"' + "\u4e2d" * 128 + '"', '"' + "\\u00e9" * 129 + '"',
    '"' + "y" * 300_000 + '"', '"USD"', '"usd"', '"EUR"', '"XXX"', '"tick"', '"go_live"',
)  # fmt: skip
ODD_TIMES = tuple(
    f'"{text}"'
    for text in (
        "1979-12-31T23:59:59.999Z", "1980-01-01T00:00:00Z", "2099-12-31T23:59:59.9999999Z", "2100-01-01T00:00:00Z",
        "2023-02-29T00:00:00Z", "2024-02-29T00:00:00+14:00",
        "2023-01-01T24:00:00Z", "2016-12-31T23:59:60Z", "2023-01-01 00:00:00Z", "2023-01-01t00:00:00z", "2023-01-01T00:00:00",
        "2023-01-01T00:00:00+24:00", "2023-01-01T00:00:00-23:59",
        "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2023-01-01", "20230101T000000Z", "2023-W01-1",
        "2023-01-01T00:00:00.000000000000001Z", "1980-01-01T05:59:59+06:00",
    )
)  # fmt: skip
ODD_VALUES = ("null", "true", "false", "[]", "{}", "[null]", '{"a":1}', '{"a":1,"a":2}', "", "undefined", "'x'", "[1,]", '{"a":}')
DEPTHS = (2, 100, 480, 3000, 100_000)
"""Not near a thousand: what is nested so deep is refused or not as the reader itself was called from deep or not."""
BAD_UTF8 = (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe4\xb8", b"\x80")
BLANKS = ("", "", "", " ", "\n", "\t", "\r", "\x0b", "\u00a0", "\ufeff")


def odd_json(random: Random) -> str:
    """A value that few expect, as it is written; not always JSON."""
    kind = random.randrange(10)
    if kind == 9:
        depth, opening, closing = random.choice(DEPTHS), *random.choice((("[", "]"), ('{"a":', "}"), ("[", "")))
        return opening * depth + ("1" if opening != "[" else "") + closing * depth
    return random.choice((ODD_NUMBERS, ODD_STRINGS, ODD_TIMES, ODD_VALUES)[min(kind // 2, 3)])


def mangled_json(value: Any, random: Random, share: float) -> str:
    """JSON of a value in which so large a share of the places is odd: values, fields twice, gone, or unknown."""
    if random.random() < share:
        return odd_json(random)
    if isinstance(value, Mapping):
        pairs = [(json.dumps(name), mangled_json(inner, random, share)) for name, inner in value.items()]
        if random.random() < share * 2:
            pairs = _mangled_pairs(pairs, random)
        return "{" + ",".join(f"{name}:{random.choice(BLANKS[:7])}{inner}" for name, inner in pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(mangled_json(inner, random, share) for inner in value) + "]"
    return json.dumps(value, ensure_ascii=random.random() < 0.5)


def _mangled_pairs(pairs: list[tuple[str, str]], random: Random) -> list[tuple[str, str]]:
    how = random.randrange(4)
    at = random.randrange(len(pairs)) if pairs else 0
    if how == 0 and pairs:
        return pairs[:at] + pairs[at + 1 :]
    if how == 1 and pairs:
        return [*pairs, (pairs[at][0], odd_json(random))]
    if how == 2:
        random.shuffle(pairs)
        return pairs
    return [*pairs[:at], (random.choice(ODD_STRINGS), odd_json(random)), *pairs[at:]]


def mangled_bytes(data: bytes, random: Random) -> bytes:
    """The same with a few bytes changed, lost, doubled or put in, or in another encoding."""
    for _ in range(random.choice((0, 0, 1, 1, 2, 5))):
        data = random.choice(_BYTE_CHANGES)(data, random.randrange(len(data) + 1), random)
    return data


def _replaced(data: bytes, at: int, random: Random) -> bytes:
    return data[:at] + bytes([random.randrange(256)]) + data[at + 1 :]


def _put_in(data: bytes, at: int, random: Random) -> bytes:
    return data[:at] + random.choice((*BAD_UTF8, b"\0", b"\xef\xbb\xbf", b'"', b"\\", b"{", b"}", b",", b"\n", b"\r")) + data[at:]


def _doubled(data: bytes, at: int, random: Random) -> bytes:
    return data[:at] + data[max(0, at - random.randrange(40)) :]


def _lost(data: bytes, at: int, random: Random) -> bytes:
    return data[:at] + data[at + random.randrange(1, 20) :]


def _other_encoding(data: bytes, _at: int, random: Random) -> bytes:
    text = data.decode(errors="replace")
    return random.choice((text.encode("utf-16"), b"\xef\xbb\xbf" + data, text.encode("latin-1", "replace"), data[::-1]))


_BYTE_CHANGES: Sequence[Callable[[bytes, int, Random], bytes]] = (
    _replaced, _replaced, _put_in, _put_in, _doubled, _lost, lambda data, at, _: data[:at], lambda data, at, _: data[at:],
    _other_encoding,
)  # fmt: skip

ODD_YAML = (
    "~", "null", "yes", "1e400", ".inf", "-.inf", ".nan", "0x1F", "0o17", "1_000", "1:99:99", "9" * 5000, "2023-13-45",
    "2023-01-01T99:99:99Z", "'x", '"\\x"', "!!int abc", "!!float abc",
    "!!timestamp abc", "!!binary '*'", "!!set {a, b}", "!!python/object/apply:os.system [x]", "!unknown x", "&a [*a]",
    "*nobody", "&a {b: *a}", "{<<: {a: 1}}", "{<<: 1}", "{[1]: 2}", "{{a: 1}: 2}",
    "{1: 2}", "{null: 2}", "{a: 1, a: 2}", "- x", "? x", "|\n  text", ">-\n text", "%YAML 1.1", "---", "...", "\t", "\0",
    "\u2028", "\ufeff", "[" * 800, "{a: " * 400, "[" * 500 + "]" * 500, "- " * 1000, "'" + "x" * 10_000 + "'",
)  # fmt: skip


def mangled_yaml(text: str, random: Random) -> bytes:
    """A YAML text with odd values, lines twice, gone or moved, and bytes changed."""
    lines = text.splitlines()
    for _ in range(random.choice((0, 1, 1, 2, 4))):
        at = random.randrange(len(lines) + 1)
        line = lines[at] if at < len(lines) else ""
        name, colon, _ = line.partition(":")
        how = random.randrange(5)
        if how <= 1:
            lines[at : at + 1] = [f"{name}{colon or ':'} {random.choice(ODD_YAML)}"]
        elif how == 2:
            lines[at:at] = [random.choice(("", " ", "    ")) + random.choice(ODD_YAML)]
        elif how == 3:
            lines[at:at] = [line]
        else:
            lines[at : at + 1] = []
    return mangled_bytes("\n".join(lines).encode(), random) if random.random() < 0.3 else "\n".join(lines).encode()


ODD_CELLS = (
    "", " ", "purchase", "refund", "complaint", "login", "cancellation", "PURCHASE", "nan", "inf", "-inf", "1e400", "-0", "0",
    "19,99", "1_000", "\u0661", "9" * 5000, "1e5", "USD", "usd", "\0", "\ufeff", "x" * 129, '"',
    '"a', 'a"b', '"a""b"', "a\nb", "6", "0.5", "True", "None", "1.0", "1700000000000", "-1", "315532799999", "4102444800000",
    "0001-01-01T00:00:00", "9999-12-31T23:59:59-23:59",
    "2023-01-01T00:00:00+00:00", "2023-01-01", "2023-W01-1", "20230101", "2023-02-30T00:00:00Z", "2023-01-01T00:00:00+24:00",
    "y" * 200_000,
)  # fmt: skip


def mangled_csv(rows: Sequence[Sequence[str]], random: Random) -> bytes:
    """A CSV text with odd cells, and bytes changed."""
    odd = [[random.choice(ODD_CELLS) if random.random() < 0.08 else cell for cell in row] for row in rows]
    lines = [",".join(row) + random.choice(("",) * 8 + (",", ',"')) for row in odd]
    data = random.choice(("\n", "\r\n", "\r")).join(lines).encode()
    return mangled_bytes(data, random) if random.random() < 0.5 else data
