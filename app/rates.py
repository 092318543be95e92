"""Rate limits per person: `@limited(UPLOADS)` on a view, `RATELIMIT_UPLOADS` for the limit.

Counted in memory, or in Redis (RATELIMIT_STORAGE_URI), by the package `limits`, which is imported when needed.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from apiflask import APIFlask
from flask import Request, current_app, request

from app.access.identify import OFF, REQUIRED, comes_from_here, is_forwarded, is_local
from app.access.principal import current
from app.config import Settings, settings
from app.errors import TooManyRequests
from app.i18n import ngettext
from app.proxies import entry_address

if TYPE_CHECKING:
    from limits.storage import Storage
    from limits.strategies import RateLimiter

logger = logging.getLogger("yolo.rates")

UPLOADS, TRAININGS, METRICS, TESTS, PREDICT = "UPLOADS", "TRAININGS", "METRICS", "TESTS", "PREDICT"
LOGIN = "LOGIN"  # by address: the client is not authenticated yet
REDIS_TIMEOUT_S = 1.0
REDIS_RETRY_S = 10.0  # pause after Redis did not answer


class RateLimited(TooManyRequests):
    """A person has exceeded a limit.

    Args:
        group: of the limit.
        seconds: until the next request is accepted.
    """

    def __init__(self, group: str, seconds: int) -> None:
        super().__init__(
            ngettext(
                "Too many such requests (%(setting)s). Nothing was changed. Try again in %(num)s second.",
                "Too many such requests (%(setting)s). Nothing was changed. Try again in %(num)s seconds.",
                seconds,
                setting=f"RATELIMIT_{group}",
            )
        )
        self.headers = {"Retry-After": str(seconds)}  # type: ignore[misc]


class RateLimits:
    """The use of each limit by each person, in a moving window.

    Args:
        storage_uri: memory:// or redis://; while Redis is unavailable, this process's memory is used.
    """

    def __init__(self, storage_uri: str) -> None:
        self.storage_uri = storage_uri
        self.retry_at = -math.inf
        self.lock = threading.Lock()

    def seconds_to_wait(self, limit: str, group: str, who: str, count: bool = True) -> int:
        """0: allowed, and counted; otherwise the rounded-up seconds until the next one is accepted.

        Args:
            limit: such as "10 per minute".
            count: False: check without counting.
        """
        from limits import parse
        from limits.errors import StorageError

        item = parse(limit)
        if time.monotonic() >= self.retry_at:
            try:
                return hit(self.shared, item, group, who, count)
            except StorageError as error:
                logger.warning("rate limits are counted in memory for %.0f s: %s", REDIS_RETRY_S, error)
                self.retry_at = time.monotonic() + REDIS_RETRY_S
        return hit(self.local, item, group, who, count)

    @property
    def shared(self) -> "RateLimiter":
        with self.lock:
            return self._shared

    @property
    def local(self) -> "RateLimiter":
        with self.lock:
            return self._local

    @cached_property
    def _shared(self) -> "RateLimiter":
        if self.storage_uri == "memory://":
            return self._local
        from limits.storage import RedisStorage

        waits: Any = {"socket_connect_timeout": REDIS_TIMEOUT_S, "socket_timeout": REDIS_TIMEOUT_S}
        return moving(RedisStorage(self.storage_uri, wrap_exceptions=True, **waits))

    @cached_property
    def _local(self) -> "RateLimiter":
        from limits.storage import MemoryStorage

        return moving(MemoryStorage())


def moving(storage: "Storage") -> "RateLimiter":
    """The limiter with a moving window by the time of day."""
    from limits.strategies import MovingWindowRateLimiter

    return MovingWindowRateLimiter(storage)


def hit(limiter: "RateLimiter", item: Any, group: str, who: str, count: bool) -> int:
    """Seconds to wait; 0: allowed. `count`: whether it counts towards the limit."""
    if (limiter.hit if count else limiter.test)(item, group, who):
        return 0
    reset = limiter.get_window_stats(item, group, who).reset_time
    return max(1, math.ceil(reset - time.time()))  # the window uses the time of day, as Redis does


def limited(group: str) -> Callable[[Any], Any]:
    """Count a view's requests towards a limit; above the other decorators, below the route."""

    def mark(view: Any) -> Any:
        view.rate_limit = group
        described = view.__dict__.setdefault("_spec", {})
        described_responses = described.get("responses") or {}
        responses = (
            dict(described_responses)
            if isinstance(described_responses, dict)
            else {code: HTTPStatus(code).phrase for code in described_responses}
        )
        text = f"More than RATELIMIT_{group} allows: wait as `Retry-After` says."
        before = responses.get(429)
        described["responses"] = responses | {429: f"{before} {text}" if before else text}
        return view

    return mark


def who_asks(sent: Request) -> str:
    """The key that limits count by: the account, or the address of unauthenticated requests. For IPv6, the network,
    since one person has 2^64 addresses.
    """
    principal = current()
    if principal is not None and principal.digest:
        return f"account:{principal.account_id or 'owner'}"
    address = entry_address(sent.remote_addr or "")
    if address is not None and address.version == 6:
        return "address:" + address.exploded[:19]
    return f"address:{address or 'unknown'}"


def from_this_machine(sent: Request) -> bool:
    """Whether a program on this machine sent it, without a proxy for another one."""
    return comes_from_here(sent) and not is_forwarded(sent.environ)


def is_counted(config: Settings, sent: Request, group: str) -> bool:
    """Whether this request counts. Logins always do: otherwise a setting for scripts would allow guessing passwords. By
    default, other requests of this machine's owner do not count.
    """
    if group == LOGIN:
        return True
    if config.RATELIMIT_ENABLED is not None:
        return config.RATELIMIT_ENABLED
    if config.AUTH == REQUIRED:
        return True
    return not (from_this_machine(sent) if config.AUTH == OFF else is_local(sent))


def check() -> None:
    """Count the request against its rate limit.

    Raises:
        RateLimited: the limit is exceeded.
    """
    group = getattr(current_app.view_functions.get(request.endpoint or ""), "rate_limit", None)
    if group is None or request.method == "OPTIONS" or not is_counted(settings(), request, group):
        return
    limit = getattr(settings(), f"RATELIMIT_{group}")
    if not limit:
        return
    seconds = current_app.extensions["rates"].seconds_to_wait(limit, group, who_asks(request))
    if seconds:
        raise RateLimited(group, seconds)


def init_app(app: APIFlask) -> None:
    """Check each request to a limited view."""
    config = settings(app)
    in_memory = config.RATELIMIT_STORAGE_URI == "memory://"  # several processes must count together
    app.extensions["rates"] = RateLimits(
        config.REDIS_URL if in_memory and config.REDIS_URL else config.RATELIMIT_STORAGE_URI
    )
    app.before_request(check)
