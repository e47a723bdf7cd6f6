"""Which passwords are taken."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.web.problems import Problem
from bridge.web.service.passwords import MAX_LENGTH, MIN_LENGTH, check_password, hash_secret, new_recovery_code


@pytest.mark.parametrize(
    "password",
    [
        "three random words",
        "correct horse battery staple",
        "дерево облако стол",
        "日本語のとても長いパスワードです",
        "xK9#mQ2$vL7!pR4",
    ],
)
def test_long_passwords_of_any_letters_are_taken(password):
    assert check_password(password, "bea") == unicodedata.normalize("NFC", password)


@pytest.mark.parametrize(
    "password",
    [
        "fourteen chars",
        "passwordpassword",
        "password123456789",
        "123456789012345",
        "aaaaaaaaaaaaaaaaa",
        "abcabcabcabcabcabc",
        "1qaz2wsx3edc4rfv",
        "baseball 12345678",
        "x" * 129,
        "beatrice-the-nth",
    ],
)
def test_short_common_and_repeated_passwords_are_refused(password):
    with pytest.raises(Problem) as refused:
        check_password(password, "beatrice-the-nth")
    assert refused.value.code == "weak-password"


@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_whatever_is_taken_has_a_length_within_the_limits(password):
    try:
        taken = check_password(password)
    except Problem:
        return
    assert MIN_LENGTH <= len(taken) <= MAX_LENGTH
    assert check_password(taken) == taken


def test_the_same_letters_written_in_two_ways_are_one_password():
    composed, decomposed = "\u00e9t\u00e9 comme hiver froid", "e\u0301te\u0301 comme hiver froid"
    assert check_password(composed) == check_password(decomposed)


def test_recovery_codes_have_no_letters_that_look_alike():
    codes = {new_recovery_code() for _ in range(200)}
    assert len(codes) == 200
    assert not set("".join(codes)) & set("ilou01")
    assert len({hash_secret(code) for code in codes}) == 200
