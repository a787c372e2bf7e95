"""Grafana's boards as code: panels are data, `build` makes JSON of them, the JSON is committed beside."""
