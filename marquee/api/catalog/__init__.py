"""The catalog and its rules over HTTP."""
