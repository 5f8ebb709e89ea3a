import asyncio

import pytest

from image_translation.app.guard import (
    ENVELOPE,
    LOOPBACK,
    MAX_MESSAGE,
    Guard,
    allowed_hosts,
)

HOST = b"127.0.0.1:7860"


def ask(length, chunks):
    """Response of a guard of 1 MB, and the messages passed to the application."""
    sent, reached = [], []

    async def application(scope, receive, send):
        reached.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"fine"})

    async def receive():
        chunks.pop()
        return {"type": "http.request", "body": b"x", "more_body": bool(chunks)}

    async def send(message):
        sent.append(message)

    headers = [] if length is None else [(b"content-length", str(length).encode())]
    scope = {"type": "http", "headers": headers}
    asyncio.run(Guard(application, 1)(scope, receive, send))
    return sent, reached


def test_oversized_request_is_rejected_with_a_response():
    chunks = [1, 2, 3]
    (start, body), reached = ask(2**20 + ENVELOPE + 1, chunks)
    assert start["status"] == 413 and not reached and not chunks
    assert b"larger than 1 MB" in body["body"]
    assert b"app.max_upload_mb" in body["body"]


def test_other_requests_pass_with_a_content_security_policy():
    for length in (None, "no number", 2**20 + ENVELOPE):
        (start, _), reached = ask(length, [1])
        assert start["status"] == 200 and reached
        policy = dict(start["headers"])[b"content-security-policy"]
        assert policy.startswith(b"default-src 'self'") and b"http" not in policy


def serve(headers=(), kind="http", method="GET", path="/", host="127.0.0.1"):
    """The messages that a guard sends, and whether it passed the request on."""
    sent, reached = [], []

    async def application(scope, receive, send):
        reached.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {"type": kind, "method": method, "path": path, "headers": list(headers)}
    guard = Guard(application, 1, allowed_hosts(host))
    asyncio.run(guard(scope, receive, send))
    return sent, bool(reached)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:7860",
        "localhost:7860",
        "LOCALHOST",
        "[::1]:7860",
        "localhost.:7860",
        "127.0.0.2",
    ],
)
def test_names_of_the_loopback_interface_are_served(host):
    assert serve([(b"host", host.encode())])[1]


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:7860",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "192.168.0.9:7860",
        "",
        "[",
        "localhost/x",
        "evil@localhost:x",
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_other_names_are_rejected(host, kind):
    (start, *_), is_reached = serve([(b"host", host.encode())], kind)
    assert not is_reached
    assert start.get("status") == 403 or start["type"] == "websocket.close"


def test_one_of_two_names_is_not_enough():
    assert not serve([(b"host", HOST), (b"host", b"evil.example")])[1]


@pytest.mark.parametrize(
    ("host", "served"),
    [
        ("127.0.0.1", {LOOPBACK}),
        ("localhost", {LOOPBACK}),
        ("::1", {LOOPBACK}),
        ("192.168.0.9", {LOOPBACK, "192.168.0.9"}),
        ("Me.net", {LOOPBACK, "me.net"}),
        ("0.0.0.0", None),
        ("::", None),
    ],
)
def test_served_names_follow_from_the_interface(host, served):
    assert allowed_hosts(host) == served


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize(
    "origin",
    [
        b"http://evil.example",
        b"null",
        b"http://127.0.0.1:8080",
        b"http://localhost:7860",
        b"http://127.0.0.1:7860.evil.example",
        b"",
    ],
)
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_requests_of_other_pages_are_rejected(method, origin, host):
    headers = [(b"host", HOST), (b"origin", origin)]
    (start, *_), is_reached = serve(headers, method=method, host=host)
    assert start["status"] == 403 and not is_reached
    assert b"access-control-allow-origin" not in dict(start["headers"])


def test_websocket_of_another_page_is_rejected():
    headers = [(b"host", HOST), (b"origin", b"http://evil.example")]
    assert not serve(headers, "websocket")[1]


def test_requests_of_the_own_page_are_served():
    headers = [(b"host", HOST), (b"origin", b"http://127.0.0.1:7860")]
    for method in ("GET", "POST", "OPTIONS"):
        assert serve(headers, method=method)[1]


def test_link_from_another_page_is_served_but_its_form_is_not():
    headers = [(b"host", HOST), (b"sec-fetch-site", b"cross-site")]
    assert serve(headers)[1]
    assert not serve(headers, method="POST")[1]


def stream(size, path, chunk=2**16, cut_off=None, is_whole=True):
    """Response to a body without a length, and how much the application read."""
    sent, read = [], []
    left = [size]

    async def application(scope, receive, send):
        message = {"more_body": True}
        while message.get("more_body"):
            message = await receive()
            read.append(len(message.get("body", b"")))
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive():
        if left[0] <= 0 and not is_whole:
            return {"type": "http.disconnect"}
        left[0] -= chunk
        more = left[0] > 0 or not is_whole
        return {"type": "http.request", "body": bytes(chunk), "more_body": more}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "headers": []}
    asyncio.run(Guard(application, 3, cut_off=cut_off)(scope, receive, send))
    return sent, sum(read), left[0]


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/gradio_api/upload", 3 * 2**20 + ENVELOPE),
        ("/gradio_api/queue/join", MAX_MESSAGE),
        ("/gradio_api/call/translate", MAX_MESSAGE),
    ],
)
def test_body_without_a_length_is_counted(path, limit):
    (start, body), read, left = stream(64 * 2**20, path)
    assert start["status"] == 413 and b"larger than" in body["body"]
    assert read <= limit
    assert left <= 0  # read to the end, so that the client reads the response
    (start,), read, _ = stream(limit, path)
    assert start["status"] == 200 and read == limit


def test_application_deletes_a_partial_upload():
    with pytest.raises(KeyError):
        stream(2**18, "/gradio_api/upload", cut_off=KeyError, is_whole=False)
    (start, _), *_ = stream(64 * 2**20, "/gradio_api/upload", cut_off=KeyError)
    assert start["status"] == 413
