"""Tries: to have more processes than the machine bears; each lives in a session of its own, does
not end when it is asked to, and holds a lock for as long as it lives.
Happens in docker: the kernel refuses more than its share.
Happens in process: nobody refuses (so this one stops at the number it is told), which is said.
Gains nothing: all of them are gone when its first process is, before anything is judged.
"""

import fcntl
import json
import os
import signal
import sys
import time

most = int(sys.argv[1])
lock = os.open("lock", os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_SH)
began, begins = os.pipe()
number = refused = 0
while number < most and not refused:
    try:
        child = os.fork()
    except BlockingIOError:
        refused = 1
    else:
        if child == 0:
            os.setsid()
            for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(each, signal.SIG_IGN)
            os.write(begins, b".")
            time.sleep(600)
        os.read(began, 1)
        number += 1
print(json.dumps({"processes": number, "refused": bool(refused)}), flush=True)
