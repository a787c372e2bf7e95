"""*Serving*: rate, errors, latency, split, log and saturation."""

from typing import Final

from monitoring.grafana.boards.choice import EACH, R, T, W
from monitoring.grafana.panels import Board, Panel, line

BY: Final = "sum by (track, release)"
BUCKETS: Final = f"sum by (track, le) (rate(ratchet_request_seconds_bucket{{{R}}}[$__rate_interval]))"

SERVING: Final = Board(
    uid="ratchet-serving",
    title="Serving",
    about="Rate, errors, latency, split, log and saturation.",
    rows=(
        (
            "Requests",
            (
                Panel(
                    title="Requests",
                    about="Predict requests a second.",
                    unit="reqps",
                    queries=(line(EACH, f"{BY} (rate(ratchet_requests_total{{{R}}}[$__rate_interval]))"),),
                ),
                Panel(
                    title="By status",
                    about="Predict requests a second by HTTP status.",
                    unit="reqps",
                    queries=(
                        line("{{status}}", f"sum by (status) (rate(ratchet_requests_total{{{R}}}[$__rate_interval]))"),
                    ),
                ),
                Panel(
                    title="Failed",
                    about="Share of requests that failed on our side; the objective is 0.1 %.",
                    unit="percentunit",
                    queries=(line("{{track}}", f"ratchet:failed:ratio_rate5m{{{T}}}"),),
                ),
                *(
                    Panel(
                        title=f"Latency p{percent}",
                        about=f"{percent} of 100 answered requests were faster, inside the service.",
                        unit="s",
                        queries=(line("{{track}}", f"histogram_quantile(0.{percent}, {BUCKETS})"),),
                    )
                    for percent in (50, 95, 99)
                ),
            ),
        ),
        (
            "Split and log",
            (
                Panel(
                    title="Split",
                    about="The candidate's share of requests in an hour beside its weight among clients.",
                    unit="percentunit",
                    queries=(
                        line("{{workload}} measured", f"ratchet:candidate:share_rate1h{{{W}}}"),
                        line("weight", "max(ratchet_candidate_share)"),
                    ),
                ),
                Panel(
                    title="Spool",
                    about="Forecasts on disk that the database does not have yet.",
                    unit="short",
                    queries=(line("{{track}}", 'sum by (track) (ratchet_log_spool_records{track=~"$track"})'),),
                ),
                Panel(
                    title="Lost or refused",
                    about="Records that no log has.",
                    unit="short",
                    queries=(
                        line("{{track}} lost", 'sum by (track) (ratchet_log_lost_total{track=~"$track"})'),
                        line("{{track}} refused", 'sum by (track) (ratchet_log_rejected_total{track=~"$track"})'),
                    ),
                ),
            ),
        ),
        (
            "Saturation",
            (
                Panel(
                    title="Cores by service",
                    about="Processor time a second.",
                    unit="none",
                    queries=(line("{{service}}", "ratchet:service_cores:rate5m"),),
                ),
                Panel(
                    title="Memory by service",
                    about="Resident memory; shared pages count in each process.",
                    unit="bytes",
                    queries=(line("{{service}}", "sum by (service) (ratchet_service_memory_bytes)"),),
                ),
                Panel(
                    title="Router",
                    about="Open connections by what they do.",
                    unit="short",
                    queries=(line("{{state}}", "sum by (state) (ratchet_router_connections)"),),
                ),
                Panel(
                    title="PostgreSQL connections",
                    about="Open, by database.",
                    unit="short",
                    queries=(line("{{database}}", "sum by (database) (ratchet_postgres_connections)"),),
                ),
                Panel(
                    title="Neighbours",
                    about="1: it answers the exporter.",
                    unit="none",
                    kind="states",
                    queries=(
                        line("{{part}}", "min by (part) (ratchet_neighbour_up)"),
                        line("{{service}}", "min by (service) (ratchet_probe_up)"),
                        line("{{job}} {{part}}", "min by (job, part) (up)"),
                    ),
                ),
                Panel(
                    title="Disk free",
                    about="Of the disk that holds all state.",
                    unit="percentunit",
                    queries=(line("free", "min(ratchet_disk_free_bytes / ratchet_disk_bytes)"),),
                ),
            ),
        ),
    ),
)
