"""`marquee catalog load`: a whole catalog from files into a running service."""
