"""Middleware: hosts and origins, upload limit and content security policy."""

import asyncio
import ipaddress
from collections.abc import Set
from typing import Any
from urllib.parse import urlsplit

CONTENT_SECURITY_POLICY = (
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; "
    "frame-ancestors 'none'; form-action 'self'"
)
"""Browsers load nothing from other hosts. Gradio's page needs inline scripts."""

MEGABYTE = 2**20

ENVELOPE = 2**16
"""Allowance for the part of a request around the file, in bytes."""

MAX_MESSAGE = MEGABYTE
"""Size of the largest request that is not an upload, in bytes. Messages name files."""

LOOPBACK = "localhost"
"""Stands for all names of the loopback interface."""

_UPLOAD = "/upload"
_SECONDS_TO_DRAIN = 60
_POLICY_VIOLATION = 1008  # RFC 6455, section 7.4.1
_READS_ONLY = {"GET", "HEAD"}


def allowed_hosts(host: str) -> frozenset[str] | None:
    """The names under which a page is served; None for any.

    A foreign web page can point its own host name to the address of this machine and
    then read the responses (DNS rebinding). Its requests carry that host name.

    Args:
        host: The interface that the server binds to. With the address of all
            interfaces, the server has host names that are unknown here.
    """
    name = _host_name(host if host.count(":") < 2 else f"[{host}]")
    if name in {"0.0.0.0", "::", ""}:  # noqa: S104 - compared only
        return None
    return frozenset({name, LOOPBACK})


class Guard:
    """ASGI middleware that rejects foreign pages and requests that are too large.

    Args:
        app: The wrapped application.
        max_upload_mb: The largest file, in MiB.
        hosts: Result of ``allowed_hosts``.
        cut_off: The error on which the application deletes a partial upload.
    """

    def __init__(
        self,
        app: Any,
        max_upload_mb: int,
        hosts: Set[str] | None = None,
        cut_off: type[Exception] | None = None,
    ) -> None:
        self._app, self._max_upload_mb, self._hosts = app, max_upload_mb, hosts
        self._cut_off = cut_off
        self._largest = max_upload_mb * MEGABYTE + ENVELOPE

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Reject requests from other pages and oversized ones; forward the rest."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        refusal = self._find_refusal(scope)
        if scope["type"] == "websocket":
            if refusal:
                await receive()
                await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
            else:
                await self._app(scope, receive, send)
            return
        cut_off = self._cut_off if _is_upload(scope) else None
        request = _Request(receive, _with_policy(send), self._limit(scope), cut_off)
        if refusal:
            await request.refuse(403, refusal)
            return
        if request.limit < _declared_length(scope):
            await request.refuse(413, self._explain_limit(request.limit))
            return
        try:
            await self._app(scope, request.receive, request.send)
        except Exception:
            if not request.is_exceeded:
                raise
        if request.is_exceeded:
            await request.refuse(413, self._explain_limit(request.limit))

    def _find_refusal(self, scope: Any) -> str | None:
        """The reason to reject a request from elsewhere than the page itself, or None."""
        hosts = _values(scope, b"host")
        names = {_host_name(host) for host in hosts}
        if self._hosts is not None and not names <= self._hosts:
            return (
                "The app is not served under this host name. Open the address that kedro "
                "app prints, or restart it with --host=<name of this machine>"
            )
        origins = _values(scope, b"origin")
        own = {host.lower() for host in hosts}
        foreign = any(o.partition("://")[2].lower() not in own for o in origins)
        crosses = b"cross-site" in _raw_values(scope, b"sec-fetch-site")
        if foreign or (crosses and scope.get("method") not in _READS_ONLY):
            return "Requests from other web pages are rejected; open the app's own page"
        return None

    def _limit(self, scope: Any) -> int:
        return self._largest if _is_upload(scope) else min(MAX_MESSAGE, self._largest)

    def _explain_limit(self, limit: int) -> str:
        if limit < self._largest:
            return f"The request is larger than {limit // MEGABYTE} MB"
        return (
            f"The file is larger than {self._max_upload_mb} MB. Choose a smaller one, or "
            "increase app.max_upload_mb in conf/local/parameters.yml"
        )


class _Request:
    """A request whose body is counted as it arrives, and its response.

    Attributes:
        limit: Size of the largest body in bytes.
        is_exceeded: Whether the body is larger.
    """

    def __init__(
        self, receive: Any, send: Any, limit: int, cut_off: type[Exception] | None
    ) -> None:
        self._receive, self._send, self.limit = receive, send, limit
        self._cut_off = cut_off
        self._count = 0
        self._is_answered = self._is_read = False
        self.is_exceeded = False

    async def receive(self) -> Any:
        """The next message; a disconnection after the limit."""
        if self.is_exceeded:
            return self._disconnect()
        is_whole = self._is_read
        message = await self._receive()
        self._is_read = not message.get("more_body")
        self._count += len(message.get("body", b""))
        self.is_exceeded = self._count > self.limit
        is_cut_off = message["type"] == "http.disconnect" and not is_whole
        return self._disconnect() if self.is_exceeded or is_cut_off else message

    def _disconnect(self) -> Any:
        if self._cut_off is not None:
            raise self._cut_off("The upload was cut off")
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Send a message of the application, unless the request was too large."""
        if self.is_exceeded and not self._is_answered:
            return
        self._is_answered = True
        await self._send(message)

    async def refuse(self, status: int, reason: str) -> None:
        """Send a response instead of the application's."""
        if self._is_answered:
            return
        # Clients do not read the response if the connection is closed during the
        # upload, so the rest is received first.
        try:
            async with asyncio.timeout(_SECONDS_TO_DRAIN):
                while not self._is_read:
                    self._is_read = not (await self._receive()).get("more_body")
        except TimeoutError:
            pass
        body = reason.encode()
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
        ]
        start = {"type": "http.response.start", "status": status, "headers": headers}
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})


def _with_policy(send: Any) -> Any:
    async def send_with_policy(message: Any) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [
                *message.get("headers", []),
                (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
                (b"referrer-policy", b"no-referrer"),
            ]
        await send(message)

    return send_with_policy


def _is_upload(scope: Any) -> bool:
    return scope.get("path", _UPLOAD).rstrip("/").endswith(_UPLOAD)


def _raw_values(scope: Any, name: bytes) -> list[bytes]:
    return [value for header, value in scope["headers"] if header.lower() == name]


def _values(scope: Any, name: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for value in _raw_values(scope, name)]


def _declared_length(scope: Any) -> int:
    lengths = _raw_values(scope, b"content-length")
    return max((int(length) for length in lengths if length.isdigit()), default=0)


def _host_name(host: str) -> str:
    """The name in a host header, without its port; ``LOOPBACK`` for loopback names.

    >>> _host_name("LocalHost:7860"), _host_name("[::1]:7860"), _host_name("me.net")
    ('localhost', 'localhost', 'me.net')
    """
    if set("@/?#\\") & set(host):  # not a host name
        return host
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return host
    try:
        return LOOPBACK if ipaddress.ip_address(name).is_loopback else name
    except ValueError:
        return name
