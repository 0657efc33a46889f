"""A hands-on sandbox for practical take-home assessments of MLOps engineers."""

__version__ = "0.1.0"
