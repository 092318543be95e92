"""Validates what an OpenID Connect provider says about itself and about a person."""

import re
from dataclasses import dataclass
from typing import Any, TypedDict
from urllib.parse import urlsplit

from app.core.json_object import JsonObject

# Signatures with the provider's private key. HS256 would be signed with the client secret, which we know too; "none" is
# unsigned.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")
LONGEST_SUBJECT = 255  # OpenID Connect Core, section 2


Claims = JsonObject  # JSON of the provider, about a person or in a token


class Begun(TypedDict):
    """The state of a login in progress."""

    nonce: str
    code_verifier: str
    redirect_uri: str
    next: str
    account_id: int | None


@dataclass(frozen=True)
class Person:
    """The person that the provider has identified.

    Args:
        issuer, subject: the only identifier of a person, since an email address may be reassigned.
        claims: of the ID token, completed by those of the userinfo endpoint.
    """

    issuer: str
    subject: str
    claims: Claims


@dataclass(frozen=True)
class Answer:
    """The result of a login that the browser brings back.

    Args:
        next: the page that was requested.
        account_id: of the session that requested a link to its account; None: this is a login.
    """

    person: Person
    next: str
    account_id: int | None


def algorithms_of(described: Any) -> list[str]:
    """The accepted algorithms with which a provider signs. With an empty list, Authlib would choose HS256."""
    offered = described.get("id_token_signing_alg_values_supported") or ["RS256"]
    return [name for name in ALGORITHMS if name in offered]


def fault_of(described: Any, issuer: str) -> str | None:
    """The fault in a provider's description; None: it is valid."""
    if str(described.get("issuer")).rstrip("/") != issuer.rstrip("/"):
        return f"its issuer is {described.get('issuer')!r}, not OIDC_ISSUER"
    scheme = urlsplit(issuer).scheme
    for name in ENDPOINTS:
        address = described.get(name)
        if address is None and name == "userinfo_endpoint":
            continue
        if urlsplit(str(address)).scheme not in {"https", scheme}:
            return f"{name} is {address!r}"
    if not algorithms_of(described):
        return "it signs ID tokens with none of " + ", ".join(ALGORITHMS)
    return None


def with_id_token(claims: Claims, id_claims: Claims) -> Claims:
    """The claims of an ID token, and those of the userinfo endpoint that it lacks.

    An email address and its `email_verified` come from the same source: each may be about another address.
    """
    merged = id_claims | claims
    if "email" in claims and id_claims.get("email") != claims["email"]:
        merged["email_verified"] = claims.get("email_verified")
    elif "email" not in claims:
        merged["email_verified"] = id_claims.get("email_verified")
    return merged


def claim_at(claims: Claims, name: str) -> Any:
    """The value of a claim; None: it is missing.

    Args:
        name: the claim's name, which may contain dots, or a dotted path into nested claims.
    """
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def code_of(error: Any) -> str:
    """The code of an error if it has one: messages of third parties are not displayed."""
    return error if isinstance(error, str) and re.fullmatch(r"[a-z_]{1,40}", error) else "error"
