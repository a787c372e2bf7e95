"""`python -m monitoring.exporter`: `/metrics` over TCP and Airflow's StatsD over UDP, on the same port number."""

import logging
import threading

from prometheus_client import CollectorRegistry, start_http_server

from monitoring.exporter import airflow, database, experiments, machine, probes, realised, router, stages, textfiles
from monitoring.exporter.parts import Parts
from ratchet.settings import Settings


def build(settings: Settings) -> tuple[CollectorRegistry, airflow.Listener]:
    """Return everything that is exposed, and what listens to Airflow; asks nobody yet."""
    registry = CollectorRegistry()
    workloads = tuple(name.strip() for name in settings.workloads.split(","))
    neighbours = Parts(
        {
            "machine": machine.Machine(settings.home),
            "router": router.Router(settings.router_status),
            "postgres": database.Database(settings.database),
            "experiments": experiments.Experiments(settings.router, settings.home / "api-keys.json", workloads),
            "stages": stages.Stages(settings.home, workloads),
            "realised": realised.Realised(settings.database, settings.home, workloads),
            "textfiles": textfiles.TextFiles(settings.home / "metrics"),
            "probes": probes.Probes(
                {
                    "mlflow": f"{settings.tracking_uri}/health",
                    "airflow": f"{settings.airflow}/api/v2/version",
                }
            ),
        }
    )
    registry.register(neighbours)
    return registry, airflow.Listener(
        measures=airflow.Measures(registry), bind=settings.bind, port=settings.exporter_port
    )


def main() -> None:
    """Serve until the process is ended."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings = Settings.load()
    registry, listener = build(settings)
    threading.Thread(target=listener.run, daemon=True, name="statsd").start()
    _, thread = start_http_server(settings.exporter_port, addr=settings.bind, registry=registry)
    thread.join()


if __name__ == "__main__":
    main()
