"""Paths of artifacts never leave the place where they belong."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.core.errors import PathInvalid
from ostinato.core.paths import LONGEST, artifact_path


@pytest.mark.parametrize(
    ("text", "path"), [("a", "a"), ("a/./b", "a/b"), ("a//b/", "a/b"), ("Maße/50%.png", "Maße/50%.png"), ("..a", "..a")]
)
def test_a_path_has_one_form(text: str, path: str) -> None:
    assert artifact_path(text) == path


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "..", "/", "/etc/passwd", "a/../b", "a/..", "../a", "%2e%2e/a", "a/%2E%2E/%2e%2e/b", "..%2fa",
        "%2fetc", "a\\b", "..\\a", "a%5cb", "C:/a", "c:", "a\x00b", "a%00b", "a\nb", "x" * (LONGEST + 1),
    ],
)  # fmt: skip
def test_a_path_that_leads_out_is_refused(text: str) -> None:
    with pytest.raises(PathInvalid):
        artifact_path(text)


def test_the_folder_of_all_is_named_by_nothing() -> None:
    assert artifact_path("", empty=True) == artifact_path(".", empty=True) == ""


@given(st.text(st.sampled_from("ab./\\%2eEfF5c:"), max_size=24))
def test_what_passes_stays_inside(text: str) -> None:
    try:
        path = artifact_path(text)
    except PathInvalid:
        return
    assert posixpath.normpath(posixpath.join("/base", path)).startswith("/base/")
