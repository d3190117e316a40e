"""Each common option of HTTP Request: exact, approximate with what differs, or not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.integrations.n8n.making import line, node, step, told
from workflows.integrations.n8n.report import NodeReport

URL = "https://api.example.com/x"


def sent(parameters: Any, version: float = 4.2, **more: Any) -> tuple[Any, NodeReport]:
    """The step, and what the report says of it."""
    found = line(
        node("Call", "httpRequest", {"url": URL, **parameters}, version, **more)
    )
    return step(found, "call"), told(found, "Call")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pagination": {"pagination": {"paginationMode": "responseContainsNextURL"}}},
         "only the first page is read: pagination has no counterpart"),
        ({"proxy": "http://p"}, "no proxy of its own: one is set at a connection"),
        ({"allowUnauthorizedCerts": True},
         "certificates are always checked: a connection may name an authority"),
        ({"response": {"response": {"responseFormat": "file"}}},
         "the answer is a file: its text is the output, no file is kept"),
    ],
)  # fmt: skip
def test_what_differs_is_said(options: Any, said: str) -> None:
    _, report = sent({"options": options})
    assert (report.fidelity, report.differs) == ("approximate", (said,))


@pytest.mark.parametrize(
    "options",
    [
        {"pagination": {"pagination": {"paginationMode": "off"}}},
        {"batching": {"batch": {"batchSize": 5, "batchInterval": 1000}}},
        {"lowercaseHeaders": False},
        {"timeout": 5000},
        {"redirect": {"redirect": {"followRedirects": True, "maxRedirects": 5}}},
        {"sendCredentialsOnCrossOriginRedirect": False},
        {"response": {"response": {"neverError": True, "fullResponse": True}}},
        {"queryParameterArrays": "repeat"},
    ],
)
def test_what_does_not_differ(options: Any) -> None:
    _, report = sent({"options": options})
    assert (report.fidelity, report.differs) == ("exact", ())


def signing_in(chosen: Any, *kinds: str, version: float = 4.2) -> Any:
    credentials = {kind: {"id": "1", "name": f"My {kind}"} for kind in kinds}
    return sent(chosen, version, credentials=credentials)


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("httpBasicAuth", "basic"),
        ("httpBearerAuth", "bearer"),
        ("httpHeaderAuth", "header"),
        ("oAuth2Api", "oauth2_client_credentials"),
    ],
)
def test_a_connection_of_the_kind_is_asked_for(type_: str, kind: str) -> None:
    chosen = {"authentication": "genericCredentialType", "genericAuthType": type_}
    made, report = signing_in(chosen, "httpDigestAuth", type_)
    assert made["config"]["connection"] == f"my-{type_.lower()}"
    assert f'of the kind "{kind}"' in report.notes[0]
    assert set(report.credentials) == {"My httpDigestAuth", f"My {type_}"}
    assert report.fidelity == ("approximate" if type_ == "oAuth2Api" else "exact")


@pytest.mark.parametrize(
    "type_", ["httpDigestAuth", "oAuth1Api", "httpQueryAuth", "httpCustomAuth"]
)
def test_a_sign_in_that_there_is_not_is_approximate(type_: str) -> None:
    chosen = {"authentication": "genericCredentialType", "genericAuthType": type_}
    _, report = signing_in(chosen, type_)
    assert report.fidelity == "approximate"
    assert "has no counterpart: create the connection" in report.differs[0]


def test_the_names_of_version_1() -> None:
    made, report = signing_in(
        {"authentication": "basicAuth"}, "httpBasicAuth", version=1
    )
    assert made["config"]["connection"] == "my-httpbasicauth"
    assert 'of the kind "basic"' in report.notes[0]


def test_a_vendor_s_own_credential() -> None:
    chosen = {
        "authentication": "predefinedCredentialType",
        "nodeCredentialType": "hubspotApi",
    }
    made, report = signing_in(chosen, "hubspotApi")
    assert made["config"]["connection"] == "my-hubspotapi"
    assert report.fidelity == "exact"


def test_a_certificate_of_one_s_own() -> None:
    made, report = signing_in({"provideSslCertificates": True}, "httpSslAuth")
    assert made["config"]["connection"] == "my-httpsslauth"
    assert 'of the kind "mtls"' in report.notes[0]


def test_a_credential_that_is_not_chosen_is_not_used() -> None:
    """The editor keeps it in the file when somebody chooses None."""
    made, report = signing_in({}, "httpHeaderAuth")
    assert "connection" not in made["config"]
    assert report.notes == (
        '"My httpHeaderAuth" is not used: the node does not sign in',
    )
    assert report.credentials == ("My httpHeaderAuth",)


@pytest.mark.parametrize(
    ("more", "attempts", "wait"),
    [
        ({"retryOnFail": True}, 3, 1),
        ({"retryOnFail": True, "maxTries": 1, "waitBetweenTries": 0}, 2, 1),
        ({"retryOnFail": True, "maxTries": 50, "waitBetweenTries": 60_000}, 5, 5),
    ],
)
def test_as_many_attempts_as_n_8_n_makes(more: Any, attempts: int, wait: int) -> None:
    made, _ = sent({}, **more)
    assert made["retry"]["max_attempts"] == attempts
    assert made["retry"]["initial"] == wait
    assert {"4xx", "5xx", "timeout", "connect"} <= set(made["config"]["retry_on"])


@pytest.mark.parametrize(("version", "seconds"), [(1, 3600), (2, 3600), (3, 300)])
def test_the_time_that_n8n_waits(version: float, seconds: float) -> None:
    assert sent({}, version)[0]["timeout"] == seconds


def test_an_entry_of_a_list_in_a_body_is_unsupported() -> None:
    fields = {"parameters": [{"name": "a[0]", "value": 1}]}
    _, report = sent({"method": "POST", "sendBody": True, "bodyParameters": fields})
    assert report.fidelity == "unsupported"
