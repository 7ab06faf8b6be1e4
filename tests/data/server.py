"""A small HTTP server on this machine that breaks off, forgets ranges and changes files, as real ones do."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Script:
    """What the server does; change it while it runs.

    Attributes:
        content: the file's bytes.
        tag: its ETag, or None for no word on its version.
        ranges: whether Range is understood.
        breaks: after how many bytes each next answer breaks off; the last answers are whole.
        requests: the Range header of each request so far.
        headers: further headers of each answer.
    """

    def __init__(self, content: bytes) -> None:
        self.content, self.tag, self.ranges = content, '"one"', True
        self.breaks: list[int] = []
        self.requests: list[str | None] = []
        self.headers = {"Content-Type": "application/zip"}


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        """Says nothing."""

    def do_GET(self):
        """Answers by the script: /missing is not found."""
        script = self.server.script
        asked = self.headers.get("Range")
        script.requests.append(asked)
        if self.path == "/missing":
            self.send_error(404)
            return
        start = 0
        if script.ranges and asked and self.headers.get("If-Range") == script.tag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        whole = len(script.content)
        if start >= whole > 0:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{whole}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        if script.tag:
            self.send_header("ETag", script.tag)
        for key, value in script.headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(whole - start))
        self.end_headers()
        end = start + script.breaks.pop(0) if script.breaks else whole
        self.wfile.write(script.content[start:end])


class _Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """Says nothing: clients here go away in the middle on purpose."""


@contextmanager
def serving(content: bytes):
    """Gives (address, script) of a server of one file."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.script = Script(content)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
