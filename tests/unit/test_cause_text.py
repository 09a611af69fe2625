"""What is seen of a complaint's text: by hand, and for any characters whatever."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest

from detectors.cause_text import BUCKETS, MAX_CHARS, buckets, sentences
from tests.support.examples import examples

ANY_TEXT = st.text(st.characters(), max_size=120) | st.text(st.characters(categories=["Cs", "Cc", "Cn", "Co"]), max_size=20)
"""Also lone surrogates, control characters and what is assigned to nothing."""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Bad", [["bad", "^bad", "bad$"]]),
        ("BAD bad", [["bad", "^bad", "bad$", "bad bad"]]),  # each once
        ("paid 45 or 1.5", [["paid", "^pai", "paid", "aid$", "0", "paid 0", "or", "^or$", "0 or", "or 0", "0 0"]]),
        ("don't", [["dont", "^don", "dont", "ont$"]]),
        ("don’t", [["dont", "^don", "dont", "ont$"]]),
        ("a. b", [["a"], ["b"]]),
        ("a.b", [["a", "b", "a b"]]),  # no sentence ends within a word
        ("a... b!? c\nd~e", [["a"], ["b"], ["c"], ["d"], ["e"]]),
        ("太贵", [["太", "贵", "太贵"]]),
        ("贵，不来了。", [["贵"], ["不", "来", "了", "不来", "来了"]]),
        ("贵,不来", [["贵"], ["不", "来", "不来"]]),  # a comma typed on a Latin keyboard
        ("big, bad", [["big", "^big", "big$", "bad", "^bad", "bad$", "big bad"]]),
        ("App闪退", [["app", "^app", "app$", "闪", "退", "闪退"]]),
        ("ＶＩＰ", [["vip", "^vip", "vip$"]]),  # full width
        ("ราคา", [["ร", "า", "ค", "ราค"[:2], "าค", "คา"]]),
        ("", []),
        ("... !!! 、、 \x00", []),
    ],
)
def test_sentences_are_words_pieces_and_pairs(text, found):
    wanted = [list(dict.fromkeys(one)) for one in found]
    assert sentences(text) == wanted


def test_a_category_is_a_sentence_of_its_own_and_a_feature_as_a_whole():
    assert sentences("", "Fees. Late!") == [
        ["fees", "^fee", "ees$", "late", "^lat", "ate$", "category=fees. late!"],
    ]
    assert sentences("no", "A3") == [["no", "^no$"], ["a3", "^a3$", "category=a3"]]
    assert sentences("", "§") == [["category=§"]]


def test_the_beginning_counts():
    assert sentences("x" * MAX_CHARS + " late") == sentences("x" * MAX_CHARS)
    assert sentences("ﷺ" * MAX_CHARS) == sentences("ﷺ" * (MAX_CHARS // 18 + 1))  # one character that becomes eighteen


def test_buckets_are_xxh3_of_the_feature():
    assert buckets(["late", "贵"]) == [xxh3_64_intdigest(b"late") % BUCKETS, xxh3_64_intdigest("贵".encode()) % BUCKETS]


@given(ANY_TEXT, ANY_TEXT)
@examples(300)
def test_any_text_has_its_features(text, category):
    found = sentences(text, category)
    assert all(found)
    assert all(len(set(one)) == len(one) for one in found)
    numbers = [bucket for one in found for bucket in buckets(one)]
    assert all(0 <= number < BUCKETS for number in numbers)
    assert len(numbers) <= 8 * (MAX_CHARS + 1)


@given(st.text(st.characters(categories=["L", "N", "P", "Z"]), max_size=80))
@examples(200)
def test_forms_of_the_same_text_are_one(text):
    composed = unicodedata.normalize("NFKC", text)
    assert (
        sentences(unicodedata.normalize("NFKD", text)) == sentences(composed) == sentences(unicodedata.normalize("NFC", composed))
    )


def test_full_width_punctuation_is_that_of_nfkc():
    wide = "，！？；：（）～"
    for mark in wide:
        assert sentences(f"A{mark}b{mark}贵") == sentences(unicodedata.normalize("NFKC", f"A{mark}b{mark}贵"))
    assert sentences("贵！慢；坏") == [["贵"], ["慢"], ["坏"]]


@given(st.lists(st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1, max_size=9), min_size=1, max_size=9))
@examples(100)
def test_sentences_do_not_touch_each_other(words):
    assert sentences(". ".join(words)) == [one for word in words for one in sentences(word)]
