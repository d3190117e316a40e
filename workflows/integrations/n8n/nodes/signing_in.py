"""How an HTTP Request signs in: with which kind of connection here."""

from __future__ import annotations

from workflows.integrations.n8n.nodes.base import Job, connection_name
from workflows.integrations.n8n.source import Credential, text

# What n8n calls them, before version 3 and since, and the kind of connection.
_KINDS = {
    "httpBasicAuth": "basic",
    "httpBearerAuth": "bearer",
    "httpHeaderAuth": "header",
    "oAuth2Api": "oauth2_client_credentials",
    "httpSslAuth": "mtls",
}
_NONE = {
    "httpDigestAuth": "digest authentication",
    "oAuth1Api": "OAuth 1",
    "httpQueryAuth": "a key in the query",
    "httpCustomAuth": "a sign-in of its own making",
}
_OLD = {
    "basicAuth": "httpBasicAuth",
    "digestAuth": "httpDigestAuth",
    "headerAuth": "httpHeaderAuth",
    "queryAuth": "httpQueryAuth",
    "oAuth1": "oAuth1Api",
    "oAuth2": "oAuth2Api",
}


def sign_in(job: Job) -> str | None:
    """The connection's name, which stands for the credential that is used."""
    wanted = _wanted(job)
    given = job.node.credentials
    if not wanted:
        for idle in given:
            job.remark(f'"{idle.name}" is not used: the node does not sign in')
        return None
    credential = next((one for one in given if one.type == wanted), None)
    if credential is None and wanted not in _KINDS | _NONE and given:
        credential = given[0]
    if credential is None:
        job.remark(f"it signs in ({wanted[:60]}), and names no credential: choose one")
        return None
    name = connection_name(credential.name)
    _tell(job, name, credential)
    return name


def _wanted(job: Job) -> str:
    """The type of the credential; "" for a node that does not sign in."""
    given = job.parameters
    if given.get("provideSslCertificates") is True:
        return "httpSslAuth"
    chosen = text(given.get("authentication")) or "none"
    match chosen:
        case "none":
            return ""
        case "genericCredentialType":
            return text(given.get("genericAuthType")) or "httpHeaderAuth"
        case "predefinedCredentialType":
            return text(given.get("nodeCredentialType")) or "a credential"
    return _OLD.get(chosen, chosen)


def _tell(job: Job, name: str, credential: Credential) -> None:
    stands = (
        f'it stands for the credential "{credential.name}" ({credential.type}), whose '
        "values stay in n8n"
    )
    if credential.type in _NONE:
        job.note(
            f"{_NONE[credential.type]} has no counterpart: create the connection "
            f'"{name}" of another kind, or put a secret where it belongs; {stands}'
        )
        return
    kind = _KINDS.get(credential.type)
    of = f' of the kind "{kind}"' if kind else ""
    job.remark(f'create the connection "{name}"{of}: {stands}')
    if credential.type == "oAuth2Api":
        job.note("tokens that a person granted are not renewed here")
