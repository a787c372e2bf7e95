"""How we know: what Prometheus scrapes, its alerts, Grafana's boards and the dashboard."""
