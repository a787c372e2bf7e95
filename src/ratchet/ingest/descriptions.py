"""What a workload says of its gold tables, from the `schema.yml` beside them."""

from pathlib import Path
from typing import Any

import yaml  # comes with dbt


def describe_tables(sql: Path) -> dict[str, dict[str, Any]]:
    """Return each gold table's description and those of its columns, as they are written, and its place among them."""
    said: dict[str, Any] = yaml.safe_load((sql / "gold" / "schema.yml").read_text(encoding="utf-8")) or {}
    return {
        model["name"]: {
            "place": place,
            "description": str(model.get("description", "")).strip(),
            "columns": {
                column["name"]: str(column.get("description", "")).strip() for column in model.get("columns", ())
            },
        }
        for place, model in enumerate(said.get("models", ()))
    }
