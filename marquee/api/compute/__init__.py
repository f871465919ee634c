"""Cost of an answer, and the thread that computes the costly ones."""
