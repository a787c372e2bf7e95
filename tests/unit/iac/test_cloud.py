"""The cloud stack against Pulumi's mocks, in every size: what is closed, what is encrypted, who may do what, who gets which setting."""

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

from cloud import all_of, containers, statements, waited_for

ROOT = Path(__file__).parents[3]


def test_nothing_is_open_to_the_world_but_the_balancers_443(cloud):
    open_to_all = [rule for rule in all_of(cloud, "aws:vpc/securityGroupIngressRule") if "cidrIpv4" in rule]
    assert [(rule["fromPort"], rule["toPort"], rule["securityGroupId"]) for rule in open_to_all] == [
        (443, 443, "balancer-id")
    ]
    for group in all_of(cloud, "aws:ec2/securityGroup:"):
        assert not group.get("ingress")
    assert all_of(cloud, "aws:ec2/defaultSecurityGroup")[0]["ingress"] == []
    assert all(not subnet["mapPublicIpOnLaunch"] for subnet in all_of(cloud, "aws:ec2/subnet:"))
    assert all(not service["networkConfiguration"]["assignPublicIp"] for service in all_of(cloud, "aws:ecs/service:"))
    assert [listener["protocol"] for listener in all_of(cloud, "aws:lb/listener:")] == ["HTTPS"]
    assert "TLS13" in all_of(cloud, "aws:lb/listener:")[0]["sslPolicy"]


def test_the_balancer_never_sends_into_a_connection_that_the_router_is_closing(cloud):
    template = (ROOT / "router/nginx.conf.template").read_text()
    (kept,) = re.findall(r"keepalive_timeout (\d+)s;", template)
    assert cloud["aws:lb/loadBalancer:LoadBalancer"]["front"]["idleTimeout"] < int(kept)


def test_what_leaves_is_https_or_stays_inside(cloud):
    for rule in all_of(cloud, "aws:vpc/securityGroupEgressRule"):
        assert "referencedSecurityGroupId" in rule or rule["fromPort"] == rule["toPort"] == 443


def test_what_airflow_tells_the_exporter_over_udp_arrives(cloud):
    for kind, name in (("Ingress", "services-to-services"), ("Egress", "services-out-services")):
        rule = cloud[f"aws:vpc/securityGroup{kind}Rule:SecurityGroup{kind}Rule"][name]
        assert (rule["securityGroupId"], rule["referencedSecurityGroupId"]) == ("services-id", "services-id")
        assert (rule["ipProtocol"], "fromPort" in rule) == ("-1", False)


def test_no_bucket_is_public_and_each_is_versioned_encrypted_and_reached_over_tls(cloud):
    assert len(all_of(cloud, "aws:s3/bucket:")) == 1
    block = all_of(cloud, "aws:s3/bucketPublicAccessBlock:")[0]
    assert [
        block[name] for name in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    ] == [True] * 4
    assert all_of(cloud, "aws:s3/bucketVersioning:")[0]["versioningConfiguration"]["status"] == "Enabled"
    rule = all_of(cloud, "aws:s3/bucketServerSideEncryptionConfiguration:")[0]["rules"][0]
    assert rule["applyServerSideEncryptionByDefault"]["sseAlgorithm"] == "aws:kms"
    assert {one["id"] for one in all_of(cloud, "aws:s3/bucketLifecycleConfiguration:")[0]["rules"]} >= {
        "half-made uploads"
    }
    policy = json.loads(all_of(cloud, "aws:s3/bucketPolicy:")[0]["policy"])["Statement"]
    assert [(one["Effect"], one["Condition"]) for one in policy] == [
        ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    ]


def test_the_database_is_private_encrypted_and_backed_up(cloud):
    (server,) = all_of(cloud, "aws:rds/instance:")
    assert server["publiclyAccessible"] is False
    assert server["storageEncrypted"] is True
    assert server["kmsKeyId"]
    assert server["backupRetentionPeriod"] >= 7
    assert server["deletionProtection"] is True
    assert server["skipFinalSnapshot"] is False
    assert {"name": "rds.force_ssl", "value": "1"} in all_of(cloud, "aws:rds/parameterGroup:")[0]["parameters"]


def test_everything_at_rest_is_encrypted_with_a_key_that_turns(cloud):
    assert all_of(cloud, "aws:kms/key:")[0]["enableKeyRotation"] is True
    (queue,) = all_of(cloud, "aws:elasticache/replicationGroup:")
    assert (queue["atRestEncryptionEnabled"], queue["transitEncryptionEnabled"], bool(queue["authToken"])) == (
        True,
        True,
        True,
    )
    assert all(disk["encrypted"] for disk in all_of(cloud, "aws:efs/fileSystem:"))
    assert all(log["kmsKeyId"] for log in all_of(cloud, "aws:cloudwatch/logGroup:"))
    assert all(secret["kmsKeyId"] for secret in all_of(cloud, "aws:secretsmanager/secret:"))
    assert all(topic["kmsMasterKeyId"] for topic in all_of(cloud, "aws:sns/topic:"))
    for repository in all_of(cloud, "aws:ecr/repository:"):
        assert repository["encryptionConfigurations"][0]["encryptionType"] == "KMS"
        assert repository["imageTagMutability"] == "IMMUTABLE"
        assert repository["imageScanningConfiguration"]["scanOnPush"] is True
    for task in all_of(cloud, "aws:ecs/taskDefinition:"):
        for volume in task["volumes"]:
            shared = volume.get("efsVolumeConfiguration")
            assert not shared or (shared["transitEncryption"], shared["authorizationConfig"]["iam"]) == (
                "ENABLED",
                "ENABLED",
            )


def test_a_disk_is_for_roles_with_tls_and_for_nobody_else(cloud):
    # With no policy at all EFS lets in whoever reaches it, whatever the roles of tasks say.
    (policy,) = all_of(cloud, "aws:efs/fileSystemPolicy:")
    (statement,) = json.loads(policy["policy"])["Statement"]
    assert policy["fileSystemId"] == "home-id"
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_every_log_ends_some_day_also_the_one_that_rds_would_make_by_itself(cloud):
    logs = all_of(cloud, "aws:cloudwatch/logGroup:")
    assert all(log["retentionInDays"] for log in logs)
    (server,) = all_of(cloud, "aws:rds/instance:")
    named = [f"/aws/rds/instance/{server['identifier']}/{kind}" for kind in server["enabledCloudwatchLogsExports"]]
    assert set(named) <= {log["name"] for log in logs}
    before = waited_for(cloud, "aws:rds/instance:Instance::postgres")
    assert "aws:cloudwatch/logGroup:LogGroup::postgres" in before


def test_the_key_is_for_logs_of_this_account_by_what_they_say_of_themselves(cloud):
    # CloudWatch Logs names the log group in the encryption context, as its guide asks; nothing says that it names an account as well.
    policy = json.loads(all_of(cloud, "aws:kms/key:")[0]["policy"])["Statement"]
    conditions = {one["Principal"].get("Service", "roles"): one.get("Condition") for one in policy}
    assert conditions == {
        "roles": None,
        "logs.eu-central-1.amazonaws.com": {
            "ArnLike": {"kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:eu-central-1:123456789012:log-group:*"}
        },
        "cloudwatch.amazonaws.com": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
    }


def test_destroy_refuses_before_it_has_destroyed_anything(cloud):
    assert set(cloud["protected"]) == {
        "aws:kms/key:Key::key",
        "aws:efs/fileSystem:FileSystem::home",
        "aws:s3/bucket:Bucket::store",
        "aws:rds/instance:Instance::postgres",
    }


def test_every_action_of_every_role_is_named_and_so_is_what_it_is_done_to(cloud):
    roles = {policy["role"] for policy in all_of(cloud, "aws:iam/rolePolicy:")}
    tasks = cloud["aws:ecs/taskDefinition:TaskDefinition"]
    assert len({task["executionRoleArn"] for task in tasks.values()}) == len(tasks)
    assert len({task["taskRoleArn"] for task in tasks.values()}) == len(tasks)
    assert roles
    for name, statement in statements(cloud):
        assert statement["Effect"] == "Allow"
        assert not [action for action in statement["Action"] if "*" in action], name
        if statement["Resource"] == "*":
            assert statement["Action"] == ["ecr:GetAuthorizationToken"], name


def test_a_service_starts_with_its_own_secrets_and_no_others(cloud):
    needed = defaultdict(set)
    for name, container in containers(cloud):
        needed[f"{name}-start"] |= {secret["valueFrom"].partition(":::")[0] for secret in container["secrets"]}
    readable = {
        name: set(statement["Resource"])
        for name, statement in statements(cloud)
        if statement["Action"] == ["secretsmanager:GetSecretValue"]
    }
    for name, secrets in needed.items():
        extra = readable.get(name, set()) - secrets
        assert not extra, (name, extra)


def test_a_secret_that_is_changed_starts_anew_whoever_has_it(cloud):
    # ECS reads a secret when a task starts and never again; only a task definition that differs makes it start another.
    for name, container in containers(cloud):
        for secret in container["secrets"]:
            arn, version = secret["valueFrom"].split(":::")
            assert version == f"{arn.rpartition(':')[2]}-1", (name, secret)


def test_who_only_serves_pages_starts_tasks_or_reads_dags_may_not_touch_the_bucket(cloud):
    without_tasks = {"airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "init", "first-turn"}
    assert without_tasks <= {container["name"] for _, container in containers(cloud)}
    for name, statement in statements(cloud):
        if name.removesuffix("-do") in without_tasks:
            assert not [action for action in statement["Action"] if action.startswith("s3:")], name
    for name, container in containers(cloud):
        if container["name"] in without_tasks:
            given = {secret["name"] for secret in container["secrets"] if not secret["name"].startswith("AIRFLOW_")}
            assert given <= {"DATABASE_URL", "CELERY_BROKER_URL"}, name


def test_a_changed_password_is_known_to_the_queue_when_it_is_used(cloud):
    (queue,) = all_of(cloud, "aws:elasticache/replicationGroup:")
    assert queue["applyImmediately"] is True


def test_serving_reads_the_bucket_and_only_the_loop_writes_to_it(cloud):
    writers = {
        name.removesuffix("-do") for name, statement in statements(cloud) if "s3:PutObject" in statement["Action"]
    }
    assert writers == {"airflow-worker", "guard", "ratchet"}


def test_no_secret_is_in_a_task_definition(cloud):
    for name, container in containers(cloud):
        assert "hidden-" not in json.dumps(container["environment"]), name


def test_each_service_gets_settings_that_the_example_lists_and_no_other(cloud):
    from ratchet_cloud.catalogue import CATALOGUE, ONCE

    text = (ROOT / ".env.example").read_text()
    listed = {line.partition("=")[0] for line in text.splitlines() if "=" in line and not line.startswith("#")}
    for name, part in {**CATALOGUE, **ONCE}.items():
        assert set(part.settings) <= listed, (name, set(part.settings) - listed)
        assert set(part.secrets) <= listed | {"GITHUB_TOKEN"}, (name, set(part.secrets) - listed)
    given = {setting for part in {**CATALOGUE, **ONCE}.values() for setting in (*part.settings, *part.secrets)}
    # A container has its own address and ports, and compose's own servers' passwords are parts of DATABASE_URL and CELERY_BROKER_URL.
    elsewhere = {name for name in listed if name.endswith("_PORT")} | {
        "DATA_HOME",
        "BIND",
        "POSTGRES_PASSWORD",
        "REDIS_PASSWORD",
        "GRAFANA_PASSWORD",
    }
    assert listed - elsewhere - given == set()
    for name, container in containers(cloud):
        part = {**CATALOGUE, **ONCE}.get(container["name"])
        if part:
            names = {one["name"] for one in container["environment"]}
            assert names == {*part.settings, *part.own}, name


def test_a_stacks_configuration_sets_what_env_may_set_in_compose_for_everybody_who_has_it(declared):
    from ratchet_cloud.catalogue import CATALOGUE, CHOICES

    text = "".join((ROOT / name).read_text() for name in ("docker-compose.yaml", "docker-compose.ab.yml"))
    has = {name for part in CATALOGUE.values() for name in part.settings}
    # What is the stack's own: where data is kept, and who is in front of and beside it.
    own = {"ARTIFACTS", "ARTIFACTS_KMS_KEY", "BRONZE", "GOLD", "SILVER", "DASK_SCHEDULER_ADDRESS", "TRUSTED_PROXIES"}
    own |= {"ROUTER_PORT"}
    assert set(re.findall(r"\$\{([A-Z_]+):-", text)) & has - own == CHOICES
    for name, container in containers(declared["chosen"]):
        given = {one["name"]: one["value"] for one in container["environment"]}
        assert given.get("EVENTS", "github:pallets/flask") == "github:pallets/flask", name
        assert given.get("WEB_WORKERS", "3") == "3", name


def test_what_is_chosen_is_text_and_what_is_the_stacks_own_cannot_be():
    from ratchet_cloud.options import _chosen

    given = {"EVENTS": "sample", "WEB_WORKERS": 3, "LOG_FSYNC": True, "POLICY": {"mode": "spec"}}
    assert _chosen(given) == {
        "EVENTS": "sample",
        "WEB_WORKERS": "3",
        "LOG_FSYNC": "true",
        "POLICY": '{"mode": "spec"}',
    }
    with pytest.raises(ValueError, match="settings: ARTIFACTS, EVENT cannot be set here, only EVENTS"):
        _chosen({"ARTIFACTS": "s3://mine", "EVENT": "sample", "EVENTS": "sample"})


def test_a_secret_that_a_stack_does_without_is_not_there(declared):
    for name, has in (("chosen", True), ("small", False)):
        secrets = {secret["name"] for _, container in containers(declared[name]) for secret in container["secrets"]}
        assert ({"NOTIFY_URLS", "GITHUB_TOKEN"} <= secrets) is has
        assert ("github-token" in declared[name]["aws:secretsmanager/secret:Secret"]) is has


def test_every_container_is_closed(cloud):
    for name, container in containers(cloud):
        assert container["readonlyRootFilesystem"] is True, name
        assert container["linuxParameters"]["capabilities"] == {"drop": ["ALL"]}, name
        assert container["logConfiguration"]["options"]["awslogs-group"], name


def test_a_container_can_write_where_it_has_to(cloud):
    # An empty volume of a task belongs to root, whoever the container is, unless its image declares a volume at that very path.
    shared = {"home", "weights", "prometheus", "alertmanager"}
    dockerfiles = {"inference": ROOT / "inference/Dockerfile"}
    for name, container in containers(cloud):
        (temporary,) = container["linuxParameters"]["tmpfs"]
        assert (temporary["containerPath"], temporary["mountOptions"]) == ("/tmp", ["uid=10001", "gid=10001"]), name
        for mount in container["mountPoints"]:
            if mount["sourceVolume"] not in shared:
                image = container["image"].rpartition("/")[2].partition(":")[0]
                text = dockerfiles[image].read_text()
                assert f'VOLUME ["{mount["containerPath"]}"]' in text, (name, mount)
                assert re.search(rf"chown ratchet:ratchet .*{mount['containerPath']}\b", text), (name, mount)


def test_what_prometheus_reads_is_written_before_it_starts_where_it_looks(cloud):
    prometheus = {one["name"]: one for name, one in containers(cloud) if name == "prometheus"}
    writer, reader = prometheus["monitoring-config"], prometheus["prometheus"]
    assert [(one["sourceVolume"], one["containerPath"]) for one in writer["mountPoints"]] == [("prometheus", "/data")]
    assert [(one["sourceVolume"], one["readOnly"]) for one in reader["mountPoints"]] == [("prometheus", False)]
    assert "--config.file=/prometheus/prometheus.yml" in reader["command"]
    assert reader["dependsOn"] == [{"containerName": "monitoring-config", "condition": "SUCCESS"}]


def test_what_compose_finds_ill_is_replaced_here_too(cloud):
    services = {}
    for path in ("docker-compose.yaml", "docker-compose.ab.yml", "monitoring/docker-compose.monitoring.yml"):
        for name, values in yaml.safe_load((ROOT / path).read_text())["services"].items():
            services.setdefault(name, {}).update(values)
    asked = {
        name: container.get("healthCheck", {}) for name, container in containers(cloud) if name == container["name"]
    }
    for name, values in services.items():
        if name in asked and "healthcheck" in values and name != "airflow-dag-processor":
            assert asked[name]["command"] == values["healthcheck"]["test"], name
    for name in (
        "inference-production",
        "inference-candidate",
        "router",
        "mlflow",
    ):  # compose reads it from their images
        assert asked[name]["command"][0] == "CMD", name
        assert (asked[name]["interval"], asked[name]["retries"]) == (15, 6), name
    # Its health is the API server's to know: if that is away, ending this one too helps nobody.
    assert not asked["airflow-dag-processor"]


def test_a_container_has_as_long_to_end_as_in_compose(cloud):
    services = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]
    for name, container in containers(cloud):
        wanted = services.get(name, {}).get("stop_grace_period", "0s")
        assert container["stopTimeout"] >= int(wanted.removesuffix("s")), name


def test_inference_scales_and_what_must_be_alone_is_alone(cloud):
    scaled = set(cloud["aws:appautoscaling/target:Target"])
    assert "inference-production" in scaled
    assert cloud.get("left alone", {}) == {name: ["desiredCount"] for name in scaled}
    services = cloud["aws:ecs/service:Service"]
    for name in ("airflow-scheduler", "prometheus", "guard"):
        assert (services[name]["desiredCount"], services[name]["deploymentMaximumPercent"]) == (1, 100)
    assert all(
        service["deploymentCircuitBreaker"] == {"enable": True, "rollback": True} for service in services.values()
    )


def test_a_service_begins_when_all_that_its_tasks_need_is_there(cloud):
    # ECS gives a first deployment up for good once three of its tasks could not start.
    routes = {
        f"aws:ec2/routeTableAssociation:RouteTableAssociation::{kind}-{n}"
        for kind in ("public", "private")
        for n in range(2)
    }
    routes.add("aws:ec2/vpcDhcpOptionsAssociation:VpcDhcpOptionsAssociation::names")
    disks = {f"aws:efs/mountTarget:MountTarget::home-{n}" for n in range(2)}
    for name in cloud["aws:ecs/service:Service"]:
        before = waited_for(cloud, f"aws:ecs/service:Service::{name}")
        roles = {f"aws:iam/rolePolicy:RolePolicy::{name}-{kind}" for kind in ("start", "do")}
        has = {f"aws:iam/rolePolicy:RolePolicy::{policy}" for policy in cloud["aws:iam/rolePolicy:RolePolicy"]}
        assert (roles & has) | routes | disks <= before, name
    for name, container in containers(cloud):
        before = waited_for(cloud, f"aws:ecs/taskDefinition:TaskDefinition::{name}")
        for secret in container["secrets"]:
            kept = secret["name"].replace("SALT", "SPLIT_SALT") if name == "router" else secret["name"]
            version = f"aws:secretsmanager/secretVersion:SecretVersion::{kept.lower().replace('_', '-')}"
            assert version in before, (name, secret["name"])
    assert "aws:rds/instance:Instance::postgres" in waited_for(cloud, "aws:ecs/taskDefinition:TaskDefinition::mlflow")


def test_what_faces_the_internet_is_made_when_there_is_a_way_to_it(cloud):
    facing = ["aws:lb/loadBalancer:LoadBalancer::front"]
    facing += [f"aws:ec2/natGateway:NatGateway::{name}" for name in cloud["aws:ec2/natGateway:NatGateway"]]
    for resource in facing:
        assert "aws:ec2/internetGateway:InternetGateway::internet" in waited_for(cloud, resource), resource


def test_what_makes_the_databases_is_done_before_anything_else_begins(cloud):
    services = cloud["aws:ecs/service:Service"]
    assert [name for name, service in services.items() if service.get("waitForSteadyState")] == ["airflow-api-server"]
    (first, _) = [container["name"] for name, container in containers(cloud) if name == "airflow-api-server"]
    assert first == "init"
    for name in set(services) - {"airflow-api-server"}:
        before = waited_for(cloud, f"aws:ecs/service:Service::{name}")
        assert "aws:ecs/service:Service::airflow-api-server" in before, name


def test_nothing_runs_until_a_release_is_named_and_the_rest_is_there(declared):
    bare, small = declared["bare"], declared["small"]
    missing = {kind for kind in small if kind not in bare}
    assert {kind.rpartition(":")[2] for kind in missing} >= {"TaskDefinition", "Service"}
    assert bare["aws:ecr/repository:Repository"].keys() == small["aws:ecr/repository:Repository"].keys()
    assert bare["aws:rds/instance:Instance"].keys() == small["aws:rds/instance:Instance"].keys()
    assert not [name for name in bare["aws:cloudwatch/metricAlarm:MetricAlarm"] if name.startswith("down-")]


def test_an_operator_has_a_shell_command_where_there_is_no_shell(cloud):
    (container,) = [one for name, one in containers(cloud) if name == "ratchet"]
    assert (container["entryPoint"], container["command"]) == (["ratchet"], ["keys", "list"])
    for output, task in (("first_turn", "first-turn"), ("ratchet", "ratchet")):
        command = cloud["outputs"][output].split()
        given = dict(zip(command[3::2], command[4::2], strict=True))
        assert command[:3] == ["aws", "ecs", "run-task"]
        assert given["--task-definition"].endswith(f":{task}")
        assert re.fullmatch(
            r"awsvpcConfiguration={subnets=\[(private-[012]-id,?)+\],securityGroups=\[services-id\]}",
            given["--network-configuration"],
        )
    assert cloud["aws:cloudwatch/logGroup:LogGroup"]["ratchet"]["retentionInDays"] == 1  # a new key is shown there


def test_everybody_who_asks_for_a_service_by_name_is_told_of_all_its_tasks(cloud):
    # Cloud Map answers with eight addresses at most; Prometheus has to scrape every task.
    for name, service in cloud["aws:ecs/service:Service"].items():
        scaled = cloud.get("aws:appautoscaling/target:Target", {}).get(name, {})
        assert max(service["desiredCount"], scaled.get("maxCapacity", 0)) <= 8, name


def test_subnets_are_in_zones_that_the_region_has(cloud):
    zones = [subnet["availabilityZone"] for subnet in all_of(cloud, "aws:ec2/subnet:")]
    assert set(zones) <= {"elsewhere-1a", "elsewhere-1c", "elsewhere-1d"}
    assert len(set(zones)) == len(zones) / 2


def test_every_service_that_runs_has_an_alarm(cloud):
    alarms = cloud["aws:cloudwatch/metricAlarm:MetricAlarm"]
    assert {f"down-{name}" for name in cloud["aws:ecs/service:Service"]} <= set(alarms)
    assert all(alarm["alarmActions"] for alarm in alarms.values())


def test_a_task_asks_for_what_fargate_has(cloud):
    allowed = {256: range(512, 2049), 512: range(1024, 4097), 1024: range(2048, 8193), 2048: range(4096, 16385)}
    allowed |= {4096: range(8192, 30721), 8192: range(16384, 61441)}
    for task in all_of(cloud, "aws:ecs/taskDefinition:"):
        assert int(task["memory"]) in allowed[int(task["cpu"])]


def test_an_examples_secret_ends_the_preview():
    from ratchet_cloud.options import _of_ones_own

    with pytest.raises(ValueError, match="splitSalt is still `changeme`"):
        _of_ones_own("splitSalt")("changeme")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("postgresPassword", f"longenough{odd}") for odd in "@/#:%? \n"),
        ("postgresPassword", "short"),
        *(("redisPassword", f"long-enough-for-it{odd}") for odd in "@/#_.!"),
        ("redisPassword", "fifteen-letters"),
        *(("splitSalt", f"salt{odd}") for odd in '"$;{\\'),
        ("airflowFernetKey", "ab" * 32),  # what the hint for the others would give
    ],
)
def test_a_secret_that_would_break_where_it_stands_ends_the_preview_without_being_told(name, value):
    from ratchet_cloud.options import _of_ones_own

    with pytest.raises(ValueError, match=f"^{name} has to be ") as told:
        _of_ones_own(name)(value)
    assert value not in str(told.value)


def test_the_commands_that_the_example_gives_make_every_secret_and_good_ones():
    from ratchet_cloud.options import SECRETS, _of_ones_own

    text = (ROOT / "iac/Pulumi.small.yaml").read_text().replace("#", "")
    start, end = text.index("for name in"), text.index("and, if")
    script = text[start:end].replace("pulumi -C iac config set --secret ", "xargs echo ")
    done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True)
    made = dict(line.split() for line in done.stdout.splitlines())
    assert set(made) == set(SECRETS)
    for name, value in made.items():
        assert _of_ones_own(name)(value) == value


def test_the_page_shows_what_the_sizes_cost():
    done = subprocess.run([sys.executable, "iac/cost.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() in (ROOT / "docs" / "cloud.md").read_text()
