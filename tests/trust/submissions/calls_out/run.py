"""Tries: to connect to whoever it is told of: on a network with a way out, in another run, on this
machine's loopback, and through an abstract Unix socket.
Happens in docker: nobody is reached but who listens on all addresses of the machine.
Happens in process: all of them are, for the network is this machine's; it is said before grading.
Gains nothing in docker. In process it can send out what it sees: its workspace and hidden flights.
"""

import json
import socket
import sys

reached = []
for place in sys.argv[1:]:
    host, _, port = place.rpartition(":")
    try:
        if host:
            socket.create_connection((host, int(port)), 1).close()
        else:
            with socket.socket(socket.AF_UNIX) as unix:
                unix.connect(f"\0{port}")
    except OSError:
        reached.append(False)
    else:
        reached.append(True)
print(json.dumps(reached))
