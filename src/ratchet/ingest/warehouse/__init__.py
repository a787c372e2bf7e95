"""The warehouse: the dbt shell that every workload's models share, and its only runner."""

from ratchet.ingest.warehouse.build import Warehouse, build

__all__ = ["Warehouse", "build"]
