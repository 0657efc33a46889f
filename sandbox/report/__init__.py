"""What people read after a grading: an HTML page for reviewers, a table for the terminal."""
