"""What no part of the loop says of itself, for Prometheus: one file per neighbour that is asked."""
