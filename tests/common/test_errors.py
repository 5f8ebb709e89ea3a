import pytest

from image_translation.common.errors import without_credentials


@pytest.mark.parametrize("secret", ["user:secret@", "token@", "user:sec@ret@"])
def test_addresses_lose_their_credentials(secret):
    text = f"API request to http://{secret}host:5000/api failed; ask a@b.org"
    expected = "API request to http://host:5000/api failed; ask a@b.org"
    assert without_credentials(text) == expected
