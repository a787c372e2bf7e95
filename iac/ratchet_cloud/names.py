"""Names that more than one part goes by."""

DOMAIN = "ratchet.internal"
"""Where tasks find each other; short names are looked up in it."""
ROUTER_PORT = 7000
IMAGES = ("inference", "router", "loop", "mlflow", "dashboard")
