"""The loop's alerts on AWS: what the declared container runs, done by the real Alertmanager, reaches the alarms' topic."""

import json
import subprocess
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
import yaml
from moto.server import ThreadedMotoServer

from cloud import all_of, containers, statements
from ratchet.stack.ports import free_port
from ratchet.stack.services import tool
from ratchet_cloud.names import DOMAIN

ROOT = Path(__file__).parents[3]
REGION = "eu-central-1"


def container_of(cloud, name):
    (found,) = [container for task, container in containers(cloud) if task == container["name"] == name]
    return found


def configuration_of(container):
    (found,) = [one["value"] for one in container["environment"] if one["name"] == "CONFIGURATION"]
    return found


def test_prometheus_finds_an_alertmanager_under_the_name_that_its_configuration_gives(cloud, tmp_path):
    from ratchet.settings import Settings
    from ratchet.stack.contained import configure_monitoring
    from ratchet.stack.container_settings import ContainerSettings

    configure_monitoring(Settings(data_home=tmp_path), ContainerSettings())
    assert "targets:\n      - alertmanager:9093" in (tmp_path / "prometheus.yml").read_text()
    named = cloud["aws:servicediscovery/service:Service"]["alertmanager"]
    assert (named["name"], cloud["aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace"]["names"]["name"]) == (
        "alertmanager",
        DOMAIN,
    )
    assert container_of(cloud, "alertmanager")["portMappings"][0]["containerPort"] == 9093


def test_only_alertmanager_may_tell_and_only_the_alarms_topic(cloud):
    (topic,) = all_of(cloud, "aws:sns/topic:")
    publishing = [(name, one["Resource"]) for name, one in statements(cloud) if "sns:Publish" in one["Action"]]
    assert publishing == [("alertmanager-do", "arn:aws:aws:sns/topic:Topic:alarms")]
    assert topic["kmsMasterKeyId"]
    uses = [
        one for name, one in statements(cloud) if name == "alertmanager-do" and "kms:GenerateDataKey" in one["Action"]
    ]
    assert [sorted(one["Action"]) for one in uses] == [["kms:Decrypt", "kms:GenerateDataKey"]]
    subscription = cloud["aws:sns/topicSubscription:TopicSubscription"]["alarms"]
    assert (subscription["protocol"], subscription["endpoint"]) == ("email", "somebody@example.org")


def test_amtool_finds_the_configuration_good_and_it_is_the_one_in_monitoring(cloud, tmp_path):
    rendered = json.loads(configuration_of(container_of(cloud, "alertmanager")))
    (tmp_path / "alertmanager.yml").write_text(json.dumps(rendered))
    done = subprocess.run(
        ["amtool", "check-config", str(tmp_path / "alertmanager.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (told,) = rendered["receivers"][0].pop("sns_configs")
    assert (told["topic_arn"], told["sigv4"]) == ("arn:aws:aws:sns/topic:Topic:alarms", {"region": REGION})
    assert rendered == yaml.safe_load((ROOT / "monitoring/alertmanager/alertmanager.yml").read_text())


def test_the_images_of_others_are_those_that_compose_names(cloud):
    text = (ROOT / "monitoring/docker-compose.monitoring.yml").read_text()
    for name in ("prometheus", "alertmanager"):
        _, found, version = container_of(cloud, name)["image"].partition(f"quay.io/prometheus/{name}:")
        assert found
        assert f"-prom/{name}:{version}}}" in text


@pytest.fixture
def mail(monkeypatch):
    """A topic, what reaches it as a queue, and where both are: moto's server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=free_port(), verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    address = f"http://{host}:{port}"
    sns, sqs = (boto3.client(kind, endpoint_url=address, region_name=REGION) for kind in ("sns", "sqs"))
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    queue = sqs.create_queue(QueueName="mail")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def read():
        return [json.loads(one["Body"]) for one in sqs.receive_message(QueueUrl=queue).get("Messages", [])]

    yield address, topic, read
    server.stop()


def test_an_alert_arrives_as_a_message_that_says_what_is_wrong_and_what_to_do(declared, mail, tmp_path):
    address, topic, read = mail
    container, port = container_of(declared["small"], "alertmanager"), free_port()
    told = json.loads(configuration_of(container).replace("arn:aws:aws:sns/topic:Topic:alarms", topic))
    told["receivers"][0]["sns_configs"][0]["api_url"] = address
    told["route"]["group_wait"] = "0s"
    (command,) = container["command"]
    here = command.replace("=/alertmanager", f"={tmp_path}").replace(">/alertmanager", f">{tmp_path}")
    here = here.replace("/bin/alertmanager", tool("prometheus-alertmanager", "alertmanager"))
    environment = {"CONFIGURATION": json.dumps(told), "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    with (tmp_path / "log").open("w") as log:
        running = subprocess.Popen(
            [*container["entryPoint"], f"{here} --web.listen-address=127.0.0.1:{port}"], env=environment, stderr=log
        )
    try:
        alert = {
            "labels": {"alertname": "TrackDown", "part": "inference-production", "severity": "page"},
            "annotations": {"summary": "inference-production has not answered", "action": "look", "runbook": "docs/r"},
            "startsAt": datetime.now(UTC).isoformat(),
        }
        patient(lambda: post(f"http://127.0.0.1:{port}/api/v2/alerts", [alert]), running, tmp_path)
        (message,) = patient(read, running, tmp_path)
    finally:
        running.terminate()
        running.wait(10)
    assert message["Subject"] == "Ratchet, firing: TrackDown"
    assert "inference-production has not answered\nlook\ndocs/r\n" in message["Message"]
    assert "the log group /ratchet-small/… here" in message["Message"]
    assert f"http://alertmanager.{DOMAIN}:9093" in message["Message"]


def post(address, content):
    request = urllib.request.Request(
        address, data=json.dumps(content).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.status == 200


def patient(what, running, folder):
    """What `what` gives once it gives something, within half a minute."""
    until = time.monotonic() + 30
    while time.monotonic() < until and running.poll() is None:
        try:
            if found := what():
                return found
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError((folder / "log").read_text()[-3000:])
