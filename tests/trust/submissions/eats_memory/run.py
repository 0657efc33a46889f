"""Tries: to use up the machine's memory.
Happens in docker: it is ended at its limit, and told so.
Happens in process: there is no limit, which is said before grading and in docs/security.md.
Gains nothing: what is ended in its middle is a failed check of its own.
"""

held = []
while True:
    held.append(bytearray(16 * 2**20))
