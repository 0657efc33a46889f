"""Tries: to read what the harness's user keeps in the kernel's keyrings, and to leave a note there
for the next submission.
Happens: the calls are refused.
Gains nothing: it learns no secret, and two submissions cannot tell each other anything that way.
"""

import ctypes
import errno
import json
import sys

add_key, keyctl = int(sys.argv[1]), int(sys.argv[2])
SEARCH, READ = 10, 11
kernel = ctypes.CDLL(None, use_errno=True)
seen = []
for ring in (-3, -4, -5):  # the session's, the user's, the user's session's
    key = kernel.syscall(keyctl, SEARCH, ring, b"user", b"trust", 0)
    buffer = ctypes.create_string_buffer(100)
    if key != -1 and kernel.syscall(keyctl, READ, key, buffer, 100) > 0:
        seen.append(buffer.value.decode())
    if kernel.syscall(add_key, b"user", b"trust", b"note", 4, ring) == -1:
        seen.append(errno.errorcode[ctypes.get_errno()])
    else:
        seen.append("left a note")
print(json.dumps(seen))
