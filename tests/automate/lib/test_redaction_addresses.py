"""Signed addresses of steps are hidden, however they are written."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from automate.lib.redaction import REDACTED, Redactor


class TestAddresses:
    """Of steps that wait for an answer: anybody's, known to this redactor or not."""

    RUN = "01a1fe6a-472d-72e1-90dd-c001fec95da3"
    SIGNATURE = "abcdefghijklmnopqrstuvwxyz234567"
    ADDRESS = f"https://a.example.com/v1/resume/{RUN}/ask-boss/{SIGNATURE}"

    @pytest.mark.parametrize(
        "written",
        [
            ADDRESS,
            quote(ADDRESS, safe=""),
            quote(quote(ADDRESS, safe=""), safe=""),
            ADDRESS.replace("/", "\\/"),
            f"Go to {ADDRESS}.",
            f'{{"text": "see {ADDRESS}"}}',
            f"text={quote(ADDRESS, safe='')}&b=1",
        ],
    )
    def test_a_signature_is_hidden_however_it_is_written(self, written: str) -> None:
        redactor = Redactor()
        for shown in (
            redactor.text(written),
            str(redactor.data({"a": [written]})),
            redactor.url(written),
            redactor.body(written.encode(), "text/plain", 10_000)[0],
        ):
            assert self.SIGNATURE not in shown
            assert REDACTED in shown
            assert "ask-boss" in shown

    @pytest.mark.parametrize(
        "text",
        [
            "resume",
            f"v1/resume/{RUN}/ask",
            f"v1/resume/{RUN}/ask/short",
            f"v1/resume/nobody/ask/{SIGNATURE}",
        ],
    )
    def test_what_is_no_address_is_shown(self, text: str) -> None:
        assert Redactor().text(text) == text
