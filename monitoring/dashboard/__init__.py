"""What people open: forecasts, the experiment, models, data and drift. Knows the system by its APIs alone, and no workload by name."""
