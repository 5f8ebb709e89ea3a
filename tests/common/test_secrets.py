import pytest

from image_translation.common.secrets import mask_address, without_credentials


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
