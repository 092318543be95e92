"""An OpenID Connect provider, Authlib's own server, as a program: `python -m tests.access.oidc_provider PORT`.

It has one user, who is logged in there and consents. POST /control changes that user and the provider's faults. Without
PKCE, or with a wrong verifier, it issues no token. Tests do not import Authlib, and use the provider's own
installation.
"""

import gzip
import hmac
import json
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector
from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin, grants
from authlib.oauth2.rfc6750 import BearerTokenValidator
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask, Response, jsonify, request
from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "yolo", "the provider's secret"


@dataclass
class State:
    """The state that POST /control changes."""

    issuer: str = ""
    person: dict[str, Any] = field(default_factory=lambda: {"sub": "1", "name": "Ana"})
    userinfo: dict[str, Any] = field(default_factory=dict)  # sent only by /userinfo
    # claims of the ID token that replace the correct ones; null: left out
    claims: dict[str, Any] = field(default_factory=dict)
    described: dict[str, Any] = field(default_factory=dict)
    sign: str = "right"  # or: other, hs256, none, absent
    fail: str = ""  # token, jwks, describe, deny, userinfo, or endless and one of them
    kid: str | None = "one"
    keys: int = 0  # changes them


state = State()
rsa_keys: dict[tuple[int, str | None], RSAKey] = {}


def key(number: int | None = None) -> RSAKey:
    key_id = (state.keys if number is None else number, state.kid)
    if key_id not in rsa_keys:
        rsa_keys[key_id] = RSAKey.generate_key(2048, {"kid": state.kid, "use": "sig"} if state.kid else {"use": "sig"})
    return rsa_keys[key_id]


def encode(part: dict[str, Any]) -> str:
    """A part of a token, encoded without the checks of a library."""
    return urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def endless(pause: float = 0) -> Response:
    """A response that continues for as long as the client reads it."""

    def blocks() -> Iterator[bytes]:
        while True:
            yield b" " * (64 * 1024 if not pause else 1)
            time.sleep(pause)

    return Response(blocks(), mimetype="application/json")


class Client(ClientMixin):
    def get_client_id(self) -> str:
        return CLIENT

    def get_default_redirect_uri(self) -> str:
        return ""

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri.endswith("/login/oidc")

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_basic"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass
class Code(AuthorizationCodeMixin):
    code: str
    redirect_uri: str
    scope: str
    nonce: str
    code_challenge: str
    code_challenge_method: str
    person: dict[str, Any]

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str:
        return self.nonce

    def get_auth_time(self) -> int:
        return int(time.time())

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


codes: dict[str, Code] = {}
tokens: dict[str, dict[str, Any]] = {}


class CodeGrant(grants.AuthorizationCodeGrant):
    def save_authorization_code(self, code: str, request: Any) -> None:
        sent, person = request.payload.data, dict(state.person)
        codes[code] = Code(
            code,
            request.payload.redirect_uri,
            request.payload.scope,
            sent.get("nonce", ""),
            sent["code_challenge"],
            sent["code_challenge_method"],
            person,
        )

    def query_authorization_code(self, code: str, client: Any) -> Code | None:
        return codes.get(code)

    def delete_authorization_code(self, authorization_code: Code) -> None:
        codes.pop(authorization_code.code, None)

    def authenticate_user(self, authorization_code: Code) -> dict[str, Any]:
        return authorization_code.person


class IDToken(OpenIDCode):
    def exists_nonce(self, nonce: str, request: Any) -> bool:
        return False

    def resolve_client_private_key(self, client: Any) -> RSAKey:
        return key()

    def get_client_algorithm(self, client: Any) -> str:
        return "RS256"

    def get_client_claims(self, client: Any) -> dict[str, Any]:
        return {"iss": state.issuer, "aud": [CLIENT]}

    def generate_user_info(self, user: dict[str, Any], scope: str) -> UserInfo:
        return UserInfo(user)

    def process_token(self, grant: Any, response: Any) -> dict[str, Any]:
        token: dict[str, Any] = super().process_token(grant, response)
        decoded = jwt.decode(token["id_token"], key())
        claims = {name: value for name, value in (decoded.claims | state.claims).items() if value is not None}
        header = {"alg": "RS256"} | ({"kid": state.kid} if state.kid else {})
        if state.sign == "absent":
            del token["id_token"]
        elif state.sign == "hs256":  # signed with the public key as if it were a secret
            signed = f"{encode(header | {'alg': 'HS256'})}.{encode(claims)}"
            mac = hmac.digest(key().as_pem(private=False), signed.encode(), "sha256")
            token["id_token"] = f"{signed}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}"
        elif state.sign == "none":
            token["id_token"] = f"{encode({'alg': 'none'})}.{encode(claims)}."
        else:
            token["id_token"] = jwt.encode(header, claims, key(-1 if state.sign == "other" else None))
        return token


class Tokens(BearerTokenValidator):
    def authenticate_token(self, token_string: str) -> Any:
        return tokens.get(token_string)

    def validate_token(self, token: Any, scopes: Any, request: Any, **kwargs: Any) -> None:
        assert token


def create_provider() -> Flask:
    app = Flask("provider")
    app.config["OAUTH2_TOKEN_EXPIRES_IN"] = {"authorization_code": 300}

    def save(token: dict[str, Any], sent: Any) -> None:
        tokens[token["access_token"]] = sent.user

    server = AuthorizationServer(app, query_client=lambda name: Client() if name == CLIENT else None, save_token=save)
    server.register_grant(CodeGrant, [IDToken(require_nonce=True), CodeChallenge(required=True)])
    protector = ResourceProtector()
    protector.register_token_validator(Tokens())

    @app.get("/.well-known/openid-configuration")
    def describe() -> Any:
        if state.fail == "describe":
            return "not JSON"
        root = request.host_url.rstrip("/")
        names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
        metadata = {name: f"{root}/{path}" for name, path in names.items()} | {"userinfo_endpoint": f"{root}/userinfo"}
        algorithms = ["none", "HS256", "RS256"]  # a provider may offer these; clients must not accept them
        return (
            metadata | {"issuer": state.issuer, "id_token_signing_alg_values_supported": algorithms} | state.described
        )

    @app.get("/jwks")
    def jwks() -> Any:
        if state.fail == "endless jwks":
            return endless()
        return ("away", 503) if state.fail == "jwks" else {"keys": [key().as_dict(private=False)]}

    @app.get("/authorize")
    def authorize() -> Any:
        if state.fail == "deny":
            sent = request.args
            return "", 302, {"Location": f"{sent['redirect_uri']}?error=access_denied&state={sent['state']}"}
        return server.create_authorization_response(grant_user=dict(state.person))

    @app.post("/token")
    def token() -> Any:
        if state.fail == "endless token":
            return endless()
        return ("away", 503) if state.fail == "token" else server.create_token_response()

    @app.get("/userinfo")
    @protector()
    def userinfo() -> Any:
        if state.fail == "endless userinfo":
            return endless()
        person = tokens[request.headers["Authorization"].split()[1]]
        return jsonify(person | state.userinfo | ({"sub": "another"} if state.fail == "userinfo" else {}))

    @app.get("/slow")
    def slow() -> Any:
        return endless(0.05)

    @app.get("/packed")
    def packed() -> Any:
        """10 MB of zeros, compressed to 50 KB."""
        return Response(gzip.compress(bytes(10 * 1024**2), 1), headers={"Content-Encoding": "gzip"})

    @app.post("/logout_token")
    def logout_token() -> Any:
        """A logout token with these claims, signed as the state requires."""
        claims = {name: value for name, value in request.json.items() if value is not None}
        header = {"alg": "RS256", "typ": "logout+jwt"} | ({"kid": state.kid} if state.kid else {})
        return {"token": jwt.encode(header, claims, key(-1 if state.sign == "other" else None))}

    @app.post("/control")
    def control() -> Any:
        for name, value in (vars(State(issuer=state.issuer)) | request.json).items():
            setattr(state, name, value)
        return {}

    return app


if __name__ == "__main__":
    port = int(sys.argv[1])
    state.issuer = f"http://127.0.0.1:{port}"
    create_provider().run("127.0.0.1", port, threaded=True)
