"""register: the model registry, the single truth of what should be live.

Serving imports `ratchet.register.live` (plain HTTP, nothing to install), the loop `ratchet.register.mlflow_registry`.
"""
