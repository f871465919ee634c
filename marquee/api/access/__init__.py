"""Access to the service: keys, callers of this machine, and web pages of other origins."""
