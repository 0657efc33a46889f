"""Whether results are still what was graded: `signing` has keys, `verification` compares."""
