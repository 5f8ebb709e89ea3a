import asyncio

import pytest

from image_translation.app.security_headers import SecurityHeaders


def ask(kind):
    """The messages of a response to a request of a kind."""
    sent = []

    async def application(scope, receive, send):
        await send({"type": f"{kind}.response.start", "status": 200})
        await send({"type": f"{kind}.response.body", "body": b"fine"})

    async def send(message):
        sent.append(message)

    asyncio.run(SecurityHeaders(application)({"type": kind}, None, send))
    return sent


def test_response_has_a_content_security_policy():
    start, body = ask("http")
    policy = dict(start["headers"])[b"content-security-policy"]
    assert policy.startswith(b"default-src 'self'") and b"http" not in policy
    assert body["body"] == b"fine"


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
def test_other_messages_are_unchanged(kind):
    assert all("headers" not in message for message in ask(kind))
