"""What the classifier of causes sees of a complaint: sentences of hashed words and characters. The text goes no further.

Text is brought to one form (NFKC, case folded), cut at `MAX_CHARS` and split into sentences; a comma ends one where it stands
between scripts that put no spaces between words (Chinese, Japanese, Thai, …). Such scripts give characters and pairs of
them; all others give words, pairs of words, and the words' four-letter pieces, so that what was never seen in one form is
known by another. A number is one word, whichever it is. A category is a sentence of its own, and a feature as a whole. Each
feature counts once a sentence. Any characters whatever have their features, which may be none.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from operator import add

from xxhash import xxh3_64_intdigest as _hash

FEATURES = "cause-text/1"
"""Names these rules: weights that were learnt by others mean nothing here."""

BUCKETS = 1 << 18
"""Features are numbered by a hash, so none has to be known beforehand; 20,000 of them rarely share a number."""

MAX_CHARS = 1_000
PIECE = 4

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u1100-\u11ff\u2e80-\u2fff\u3005-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)  # the second line: Chinese, Japanese, Korean
_NARROW = tuple(zip("，！？；：（）", ",!?;:()", strict=True))
"""As NFKC has it. With these out of the way most Chinese needs no slow normalisation."""
_WORD = rf"[^\W_{_UNSPACED}]+"
_END = rf"[。!?;~\n]|\.(?=\s|\.|$)|(?<=[{_UNSPACED}]),|,(?=[{_UNSPACED}])"
_RUNS = re.compile(rf"([{_UNSPACED}]+)|({_WORD}(?:'{_WORD})*)|({_END})")


def sentences(text: str, category: str = "") -> list[list[str]]:
    """The features of each sentence of a complaint, each once, in the order of their first appearance; none is empty.

    >>> sentences("Too dear! 太贵，走", "$5")
    [['too', '^too', 'too$', 'dear', '^dea', 'ear$', 'too dear'], ['太', '贵', '太贵'], ['走'], ['0', 'category=$5']]
    """
    found = _sentences(_one_form(text))
    if category:
        whole = _one_form(category)
        found.append([feature for one in _sentences(whole) for feature in one] + [f"category={whole}"])
    return [list(dict.fromkeys(one)) for one in found if one]


def buckets(features: Iterable[str]) -> list[int]:
    """The number of each feature, 0 to BUCKETS - 1."""
    return list(map(_bucket, features))


@lru_cache(maxsize=1 << 16)  # most features of most texts are common ones
def _bucket(feature: str) -> int:
    return _hash(feature.encode("utf-8", "surrogatepass")) % BUCKETS


def _one_form(text: str) -> str:
    text = text[:MAX_CHARS]
    if not text.isascii():
        for wide, narrow in _NARROW:
            text = text.replace(wide, narrow)
        if not unicodedata.is_normalized("NFKC", text):
            text = unicodedata.normalize("NFKC", text)
    return text.casefold()[:MAX_CHARS].replace("’", "'")


def _sentences(text: str) -> list[list[str]]:
    found: list[str] = []
    all_found = [found]
    before = ""
    for unspaced, word, _end in _RUNS.findall(text):
        if unspaced:
            found += unspaced
            found += map(add, unspaced, unspaced[1:])
            before = ""
        elif word:
            found += (parts := _of_word(word))
            if before:
                found.append(f"{before} {parts[0]}")
            before = parts[0]
        elif found:
            all_found.append(found := [])
            before = ""
    return all_found


@lru_cache(maxsize=1 << 13)
def _of_word(word: str) -> tuple[str, ...]:
    """A word and its pieces."""
    word = "0" if word.isdigit() else word.replace("'", "")
    whole = f"^{word}$"
    return word, *(whole[i : i + PIECE] for i in range(len(whole) - PIECE + 1))
