"""Middleware: upload limit and content security policy."""

from typing import Any

from image_translation.app.settings import MEGABYTE

CONTENT_SECURITY_POLICY = (
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; "
    "frame-ancestors 'none'; form-action 'self'"
)
"""Browsers load nothing from other hosts. Gradio's page needs inline scripts."""

ENVELOPE = 2**16
"""Allowance for the part of a request around the file, in bytes."""


class Guard:
    """ASGI middleware that limits uploads and sets the content security policy.

    Args:
        app: The wrapped application.
        max_upload_mb: The largest file, in MiB.
    """

    def __init__(self, app: Any, max_upload_mb: int) -> None:
        self._app, self._max_upload_mb = app, max_upload_mb
        self._largest = max_upload_mb * MEGABYTE + ENVELOPE

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Reject requests that are too large; pass on others."""
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
        # a client whose connection is closed during the upload does not read the
        # response
        while (await receive()).get("more_body"):
            pass
        body = (
            f"The file is larger than {self._max_upload_mb} MB. Choose a smaller one, or "
            "increase app.max_upload_mb in conf/local/parameters.yml"
        ).encode()
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": body})
