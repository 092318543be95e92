"""What an OpenID Connect provider says of itself and of a person, and which of it is to be believed."""

import re
from dataclasses import dataclass
from typing import Any, TypedDict
from urllib.parse import urlsplit

from app.core.json_object import JsonObject

# Signed with the provider's private key. HS256 would be signed with what we know ourselves, and "none" is not signed.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")
LONGEST_SUBJECT = 255  # OpenID Connect Core, section 2


Claims = JsonObject  # the provider's JSON, of a person or of a token


class Begun(TypedDict):
    """What a login has begun with."""

    nonce: str
    code_verifier: str
    redirect_uri: str
    next: str
    account_id: int | None


@dataclass(frozen=True)
class Person:
    """The person that the provider has identified.

    Args:
        issuer, subject: know a person; nothing else does, as an e-mail address may be given to somebody else.
        claims: of the ID token, and of the provider's own answer where that has more.
    """

    issuer: str
    subject: str
    claims: Claims


@dataclass(frozen=True)
class Answer:
    """What a browser comes back with.

    Args:
        next: where the person wanted to go.
        account_id: of the session that asked for a link to its account; None: it is a login.
    """

    person: Person
    next: str
    account_id: int | None


def algorithms_of(described: Any) -> list[str]:
    """The accepted algorithms with which a provider signs. With an empty list Authlib would choose HS256."""
    offered = described.get("id_token_signing_alg_values_supported") or ["RS256"]
    return [name for name in ALGORITHMS if name in offered]


def fault_of(described: Any, issuer: str) -> str | None:
    """What is wrong with a provider's description; None: nothing."""
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
    """The claims of an ID token, and of the provider's further answer those that the token lacks.

    An address and whether it is verified are from one of both: what one verifies may be another address.
    """
    merged = id_claims | claims
    if "email" in claims and id_claims.get("email") != claims["email"]:
        merged["email_verified"] = claims.get("email_verified")
    elif "email" not in claims:
        merged["email_verified"] = id_claims.get("email_verified")
    return merged


def claim_at(claims: Claims, name: str) -> Any:
    """The value of a claim; None: it is not there.

    Args:
        name: its name, which may have dots itself, or the path to it in claims within claims.
    """
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def code_of(error: Any) -> str:
    """A failure's own name, where it is one: texts of others are not displayed."""
    return error if isinstance(error, str) and re.fullmatch(r"[a-z_]{1,40}", error) else "error"
