import logging
from contextlib import suppress

import pytest

from image_translation.common.secrets import (
    mask_address,
    mask_log_records,
    mask_values,
    without_credentials,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://user:password@host/db", "postgresql://host/db"),
        ("mysql+pymysql://u:p@ss@host/db", "mysql+pymysql://host/db"),
        ("postgresql://user:pa/ss@host/db", "postgresql://host/db"),
        ("https://TOKEN@host/x.zip", "https://host/x.zip"),
        ("https:/TOKEN@host/x.zip", "https:/host/x.zip"),
        ("https://host/x.zip?X-Amz-Signature=abc%2F+", "https://host/x.zip?***"),
        ("https://user:pw@host/x?sig=a@b/c:d'e)f", "https://host/x?***"),
        (
            "zip://*.png::https://u:p@host/x?sig=1",
            "zip://*.png::https://host/x?***",
        ),
        (
            "Max retries exceeded with url: /x.zip?X-Goog-Signature=abc (Caused by",
            "Max retries exceeded with url: /x.zip?*** (Caused by",
        ),
        ("https://host/#access_token=abc", "https://host/#***"),
        ("a http://u:p@one, b ftp://t@two", "a http://one, b ftp://two"),
    ],
)
def test_secrets_of_addresses_are_hidden(text, shown):
    assert mask_address(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "http://host:5000/#/experiments/1/runs/2",
        "http://host:80/@scope/package",
        "https://host/photo@2x.png",
        "sqlite:////tmp/mlflow.db",
        "write to me@host; why?",
        "a/b@c?d",
        "",
    ],
)
def test_other_text_is_unchanged(text):
    assert mask_address(text) == text == without_credentials(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "cannot reach http://user:secret@host:5000/api",
            "cannot reach http://host:5000/api",
        ),
        ("postgresql://user:p@ss@db/mlflow", "postgresql://db/mlflow"),
        ("http://host:5000/path", "http://host:5000/path"),
    ],
)
def test_address_to_open_has_no_credentials(text, expected):
    assert without_credentials(text) == expected


def test_nested_values_are_masked():
    values = {"source": "https://h/x?s=1", "n": 3, "list": ["https://t@h/x", None]}
    shown = {"source": "https://h/x?***", "n": 3, "list": ["https://h/x", None]}
    assert mask_values(values) == shown


@pytest.fixture
def masked_logs():
    before = logging.getLogRecordFactory()
    mask_log_records()
    mask_log_records()
    yield
    logging.setLogRecordFactory(before)


@pytest.mark.usefixtures("masked_logs")
def test_log_records_are_masked_with_their_tracebacks(caplog):
    logger = logging.getLogger("library")
    logger.warning("cannot open %s", "https://me:hunter2@host/x")
    with suppress(OSError):
        try:
            raise OSError("https://host/x?sig=hunter2")
        except OSError:
            logger.exception("failed")
            raise
    logger.warning("%d of %d", 1, 2)
    text = caplog.text
    assert "cannot open https://host/x" in text and "https://host/x?***" in text
    assert "1 of 2" in text and "hunter2" not in text


@pytest.mark.usefixtures("masked_logs")
def test_records_of_structured_loggers_keep_their_arguments(caplog):
    arguments = ("127.0.0.1:1", "GET", "/file?x=1", "1.1", 200)
    logging.getLogger("uvicorn.access").warning('%s - "%s %s HTTP/%s" %d', *arguments)
    assert caplog.records[-1].args == arguments
