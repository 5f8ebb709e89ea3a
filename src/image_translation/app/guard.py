"""What stands before the server: requests that are too large, pages that load from afar."""

from typing import Any

from image_translation.app.settings import MEGABYTE

CONTENT_SECURITY_POLICY = (
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; "
    "frame-ancestors 'none'; form-action 'self'"
)
"""A browser loads nothing from other machines. Gradio's page needs scripts inside it."""

ENVELOPE = 2**16
"""Bytes that a request may have around a file."""


class Guard:
    """ASGI middleware.

    Args:
        app: What is guarded.
        max_upload_mb: The largest file, in MiB.
    """

    def __init__(self, app: Any, max_upload_mb: int) -> None:
        self._app, self._max_upload_mb = app, max_upload_mb
        self._largest = max_upload_mb * MEGABYTE + ENVELOPE

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request that is too large; let others through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._largest:
            await self._refuse(receive, send)
            return

        async def send_with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                policy = CONTENT_SECURITY_POLICY.encode()
                message.setdefault("headers", [])
                message["headers"] = [
                    *message["headers"],
                    (b"content-security-policy", policy),
                    (b"referrer-policy", b"no-referrer"),
                ]
            await send(message)

        await self._app(scope, receive, send_with_policy)

    async def _refuse(self, receive: Any, send: Any) -> None:
        # a client that is cut off while it still sends does not read the answer
        while (await receive()).get("more_body"):
            pass
        body = (
            f"The file is larger than {self._max_upload_mb} MB. Choose a smaller one, or "
            "raise app.max_upload_mb in conf/local/parameters.yml"
        ).encode()
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": body})
