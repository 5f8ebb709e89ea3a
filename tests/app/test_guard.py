import asyncio

from image_translation.app.guard import ENVELOPE, Guard


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
