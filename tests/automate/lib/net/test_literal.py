"""Addresses that stand in a URL as they are."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from automate.lib.net import Policy, literal_refusal

SETTING = "set AUTOMATE_ALLOWED_NETWORKS to permit it"
NEVER = "it gives away this machine's own credentials, so nothing may call it"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://10.0.0.1", f"10.0.0.1 is a private address: {SETTING}"),
        ("http://10.0.0.1:8080/x?y={{ trigger.payload.a }}", "a private address"),
        ("HTTPS://LOCALHOST/x", "localhost is 127.0.0.1, which is a loopback address"),
        ("http://api.localhost:1/", "a loopback address"),
        ("http://127.1/", "127.1 is 127.0.0.1, which is a loopback address"),
        ("http://2130706433/", "127.0.0.1"),
        ("http://0x7f.1/", "127.0.0.1"),
        ("http://[::1]:80/", "::1 is a loopback address"),
        ("http://[fd00::5]/", "a unique-local address"),
        ("http://169.254.169.254/latest", f"a cloud metadata service: {NEVER}"),
        ("http://[fd00:ec2::254]/", NEVER),
        ("http://[::ffff:169.254.169.254]/", NEVER),
    ],
)
def test_what_will_be_refused_is_told(url: str, words: str) -> None:
    assert words in literal_refusal(Policy(), url)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/10.0.0.1",
        "https://10.example.com/",
        "http://8.8.8.8/",
        "http://{{ variables.host }}/",
        "http://10.0.0.{{ variables.n }}/",
        "/orders",
        "",
        "http://",
        "ftp://10.0.0.1/",
        "http://user@10.0.0.1/",
        "http://999.1.1.1.1/",
        "{{ 'http://10.0.0.1' }}",
    ],
)
def test_nothing_is_told_of_names_templates_and_what_is_no_url(url: str) -> None:
    assert literal_refusal(Policy(), url) == ""


def test_what_is_permitted_is_not_told() -> None:
    assert not literal_refusal(Policy([ip_network("10.0.0.0/8")]), "http://10.0.0.1/")
