"""A live take-home: what `sandbox start` starts, and what candidates see of it.

supervisor ── keeps the stack running, writes ──► session ── read by ──► welcome, commands
    ├─ production    the traffic: real flights hour by hour, and labels a day later
    ├─ monitor       the real Prometheus that watches it
    └─ releasing     ships a release when `sandbox release` asks for one
"""
