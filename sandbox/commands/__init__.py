"""The `sandbox` command's commands: arguments and exit statuses, no logic."""
