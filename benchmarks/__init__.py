"""Measure training, serving, data and the app, beside peers; `make bench-…` runs each."""
