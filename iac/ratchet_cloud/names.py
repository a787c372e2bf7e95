"""Names that more than one part goes by."""

DOMAIN = "ratchet.internal"
"""Where tasks find each other; short names are looked up in it."""
ROUTER_PORT = 7000
PUBLIC_SUBNETS = ("10.40.0.0/24", "10.40.1.0/24", "10.40.2.0/24")
"""Where the balancer is, one for each zone, and nobody else."""
IMAGES = ("inference", "router", "loop", "mlflow", "dashboard")
