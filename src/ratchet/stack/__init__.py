"""The embedded stack: every real part of the loop on one machine, under supervisor. What `make up`, `make status` and `make down` call."""
