"""The processes of the service: their start, reload and end."""
