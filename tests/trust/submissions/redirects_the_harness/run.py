"""Tries: to have the harness ask somebody it cannot reach itself, by answering that the answer is
elsewhere: as the service, and as a registry that it made answer so.
Happens: no question of the harness follows a redirection.
Gains nothing: the harness carries nothing out or in for it.
"""

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Elsewhere(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200 if self.path == "/ready" else 307)
        self.send_header("Location", sys.argv[1])
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET


ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Elsewhere).serve_forever()
