"""Tries: to have the harness write elsewhere: a folder in which it puts files is one moment a
folder and the next a link that leads out; so is a file.
Happens: the harness opens each folder on its way without following links, and gives up or replaces.
Gains nothing: nothing outside its workspace is written, made or given to another owner.
"""

import ctypes
import os
import socket
import sys

HERE, EXCHANGE = -100, 2
outside, where = sys.argv[1], (os.environ["HOST"], int(os.environ["PORT"]))
os.symlink(f"{outside}/kept", "file")
os.mkdir("config")
os.symlink(outside, "led")
swap = ctypes.CDLL(None).renameat2
with socket.create_server(where):
    while swap(HERE, b"config", HERE, b"led", EXCHANGE) == 0:
        pass
    raise SystemExit("it cannot be swapped")
