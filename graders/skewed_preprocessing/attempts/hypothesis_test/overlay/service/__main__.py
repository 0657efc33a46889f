"""Start the service: `python -m service`. `PORT` says where (8080)."""

import os

from werkzeug.serving import make_server

from service.app import app, champion

champion.start()
make_server("0.0.0.0", int(os.environ.get("PORT", "8080")), app, threaded=True).serve_forever()
