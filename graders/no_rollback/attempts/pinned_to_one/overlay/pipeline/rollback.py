"""Done."""

print("{}")
