"""Telemetry on the simulated clock: scraping, a real Prometheus, and what it is asked."""
