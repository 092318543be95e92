"""Authlib's session for requests to the OpenID Connect provider, with limits for the size and duration of an answer."""

import time
from typing import Any

from authlib.integrations.requests_client import OAuth2Session
from requests import PreparedRequest, RequestException, Response
from requests.adapters import HTTPAdapter

MOST_BYTES = 1024 * 1024  # of an answer; keys and claims of real providers have some 10 KB
LONGEST_S = 20.0  # of an answer, even if its bytes arrive steadily
BLOCK = 4096  # bytes decompressed at once: a small answer may expand to a large one


class AnswerTooLarge(RequestException):
    """An answer exceeds the limit of size or time."""


class BoundedAdapter(HTTPAdapter):
    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        """Read a complete answer within the limits.

        Raises:
            AnswerTooLarge: it exceeds one of them.
        """
        until = time.monotonic() + LONGEST_S
        response = super().send(request, *args, **options)
        content = bytearray()
        try:
            for block in response.iter_content(BLOCK):
                content += block
                if len(content) > MOST_BYTES or time.monotonic() > until:
                    raise AnswerTooLarge(f"{request.url} answers with more than {len(content)} bytes", request=request)
        except BaseException:
            response.close()
            raise
        response._content = bytes(content)
        return response


class ProviderSession(OAuth2Session):  # type: ignore[misc]
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for scheme in ("https://", "http://"):
            self.mount(scheme, BoundedAdapter())
