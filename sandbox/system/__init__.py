"""What the harness needs of the machine, and what knows nothing of take-homes.

processes  runs other programs      tails    keeps the last of what they print
waiting    waits for conditions     modules  loads source that no package holds
tools      finds Prometheus and promtool, and fetches them where it can
"""
