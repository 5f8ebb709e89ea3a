import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from image_translation.registry.chosen_models import is_served


@pytest.fixture
def server():
    """A server that answers every request with the text of its ``answer``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.server.answer)

        def log_message(self, *arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.answer = b"OK"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_mlflow_on_this_machine_is_linked_only_where_it_responds(server):
    address = f"http://127.0.0.1:{server.server_port}"
    assert is_served(address)
    server.answer = b"<html>another program"
    assert not is_served(address)
    assert not is_served("http://127.0.0.1:9")


def test_remote_interface_is_not_asked():
    assert is_served("http://mlflow.example:5000")
