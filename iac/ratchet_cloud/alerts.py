"""Whom the loop's own alerts reach: `monitoring/alertmanager`'s configuration, with the alarms' topic among its receivers."""

import json
from pathlib import Path
from typing import Final

import yaml

from ratchet_cloud.names import DOMAIN

SOURCE: Final = Path(__file__).parents[2] / "monitoring" / "alertmanager" / "alertmanager.yml"
_FILE: Final = "/alertmanager/alertmanager.yml"
_MESSAGE: Final = """\
{{ range .Alerts }}{{ .Status }} since {{ .StartsAt.Format "2006-01-02 15:04 MST" }}: {{ .Annotations.summary }}
{{ .Annotations.action }}
{{ .Annotations.runbook }}

{{ end }}What `make logs S=…` shows is the log group {name}/… here. Silence: {{ .ExternalURL }}
"""
COMMAND: Final = (
    f'printf %s "$CONFIGURATION" >{_FILE} && exec /bin/alertmanager --config.file={_FILE} --storage.path=/alertmanager'
    f" --cluster.listen-address= --web.external-url=http://alertmanager.{DOMAIN}:9093 --log.level=warn"
)
"""For a shell: the image of others holds no configuration of ours, so it comes in the environment."""


def configuration() -> str:
    """What Alertmanager reads, as JSON, which is YAML; `{topic}`, `{region}` and `{name}` are for whoever knows them."""
    read = yaml.safe_load(SOURCE.read_text())
    (receiver,) = read["receivers"]
    receiver["sns_configs"] = [
        {
            "topic_arn": "{topic}",
            "sigv4": {"region": "{region}"},
            "send_resolved": True,
            "subject": "Ratchet, {{ .Status }}: {{ .GroupLabels.alertname }}",  # SNS takes 100 characters and no line break
            "message": _MESSAGE,
        }
    ]
    return json.dumps(read)
