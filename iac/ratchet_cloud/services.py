"""The catalogue as Fargate services: closed containers, secrets by name, a log and two roles each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from ratchet_cloud import roles
from ratchet_cloud.balancer import Front
from ratchet_cloud.bucket import Store
from ratchet_cloud.catalogue import CATALOGUE, ONCE, Part
from ratchet_cloud.cluster import Place
from ratchet_cloud.names import DOMAIN
from ratchet_cloud.network import Network
from ratchet_cloud.options import Options
from ratchet_cloud.sizes import Task
from ratchet_cloud.volumes import OWNER, Disks

READ_ONLY = frozenset(
    {
        *(("router", "weights"), ("exporter", "home"), ("exporter", "weights"), ("reports", "home")),
        *(("inference-production", "home"), ("inference-candidate", "home")),
    }
)
OF_OTHERS = {
    "prometheus": "quay.io/prometheus/prometheus:v3.5.0",
    "alertmanager": "quay.io/prometheus/alertmanager:v0.28.1",
}
"""Images that are not ours, as compose names them too, from where their makers publish them."""
_OWNER = f"{OWNER}:{OWNER}"
_HEALTH = {"interval": 15, "timeout": 10, "retries": 6, "startPeriod": 300}
"""Seconds, and failures in a row after which a task is replaced; a start may take five minutes."""
_BUSY_PERCENT = 60.0
_FIRST = "airflow-api-server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The names of the services that run, and for a shell: what makes the first turn, and what asks for any command of `ratchet`."""

    names: list[str]
    first_turn: pulumi.Output[str]
    ratchet: pulumi.Output[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What every service stands on."""

    options: Options
    net: Network
    place: Place
    kept: dict[str, aws.secretsmanager.SecretVersion]
    store: Store
    disks: Disks
    key: aws.kms.Key
    told: aws.sns.Topic
    repositories: dict[str, aws.ecr.Repository]


def make(options: Options, *, front: Front, **ground: Any) -> Running:  # noqa: ANN401  # the fields of Ground
    """Declare every service, what scales, and the tasks that a person starts; none of it before a release is named."""
    if not options.release:
        nothing = pulumi.Output.from_input("echo no release runs yet")
        return Running(names=[], first_turn=nothing, ratchet=nothing)
    on = Ground(options=options, **ground)
    names = [name for name in CATALOGUE if options.size.tasks[name].most > 0]
    # Its task makes the databases and the folders first: everything else begins, or is brought up to date, after it.
    first = _service(on, _FIRST, _task(on, _FIRST), after=[*on.net.ready, *on.disks.ready])
    for name in names:
        if name == _FIRST:
            continue
        behind = front if name == "router" else None
        service = _service(on, name, _task(on, name), after=[first], front=behind)
        if options.size.tasks[name].most > options.size.tasks[name].least:
            _scale(on, name, service)
    return Running(names=names, first_turn=_by_hand(on, "first-turn"), ratchet=_by_hand(on, "ratchet"))


def _by_hand(on: Ground, name: str) -> pulumi.Output[str]:
    """The command that starts this task."""
    where = pulumi.Output.all(*on.net.private_ids).apply(",".join)
    return pulumi.Output.format(
        "aws ecs run-task --region {0} --cluster {1} --launch-type FARGATE --task-definition {2}"
        " --network-configuration awsvpcConfiguration={{subnets=[{3}],securityGroups=[{4}]}}",
        on.options.region,
        on.place.cluster.name,
        _task(on, name).arn,
        where,
        on.net.services.id,
    )


def _task(on: Ground, name: str) -> aws.ecs.TaskDefinition:
    part = ONCE.get(name) or CATALOGUE[name]
    parts = [part, *([ONCE[part.first]] if part.first else [])]
    size = on.options.size.tasks.get(name, Task(cpu=512, memory=2048))
    log = aws.cloudwatch.LogGroup(
        name,
        name=f"/{on.options.name}/{name}",
        kms_key_id=on.key.arn,
        retention_in_days=1 if name == "ratchet" else on.options.size.log_days,  # `ratchet keys add` says a key there
        tags=on.options.tags(name),
    )
    containers = [_container(on, name, part, log, size)]
    if part.first:
        containers[0]["dependsOn"] = [{"containerName": part.first, "condition": "SUCCESS"}]
        containers.insert(0, _container(on, part.first, ONCE[part.first], log, size) | {"essential": False})
    needed = {secret for one in parts for secret in (*one.secrets, *one.own_secrets)}
    start = roles.starting(
        on.options,
        name,
        log=log,
        repositories=[on.repositories[image] for image in sorted({one.image for one in parts} - set(OF_OTHERS))],
        secrets=[on.kept[secret] for secret in sorted(needed & set(on.kept))],
        key=on.key,
    )
    do = roles.doing(
        on.options,
        name,
        store=on.store,
        actions=part.store,
        key=on.key,
        disks={getattr(on.disks, disk): (name, disk) not in READ_ONLY for disk in part.mounts},
        system=on.disks.system,
        told=on.told if part.alarms else None,
    )
    return aws.ecs.TaskDefinition(
        name,
        family=f"{on.options.name}-{name}",
        cpu=str(size.cpu),
        memory=str(size.memory),
        network_mode="awsvpc",
        requires_compatibilities=["FARGATE"],
        runtime_platform={"operating_system_family": "LINUX", "cpu_architecture": "X86_64"},
        execution_role_arn=start,
        task_role_arn=do,
        container_definitions=pulumi.Output.json_dumps(containers),
        volumes=_volumes(on, part),
        tags=on.options.tags(name),
    )


def _container(on: Ground, name: str, part: Part, log: aws.cloudwatch.LogGroup, size: Task) -> dict[str, Any]:
    mounts = [
        {"sourceVolume": disk, "containerPath": path, "readOnly": (name, disk) in READ_ONLY}
        for disk, path in part.mounts.items()
    ]
    if part.scratch:
        mounts.append({"sourceVolume": "scratch", "containerPath": part.scratch, "readOnly": False})
    chosen = {key: on.options.settings.get(key, value) for key, value in part.settings.items()}
    renamed = {"SPLIT_SALT": "SALT"} if part.image == "router" else {}
    others = {"user": _OWNER} if part.image in OF_OTHERS else {}
    # What is mounted there otherwise belongs to root. As in compose, it is memory.
    temporary = {"containerPath": "/tmp", "size": size.memory // 2, "mountOptions": [f"uid={OWNER}", f"gid={OWNER}"]}  # noqa: S108
    entry = {"entryPoint": list(part.entry)} if part.entry else {}
    health = {"healthCheck": {"command": ["CMD", *part.health], **_HEALTH}} if part.health else {}
    return {
        **others,
        **entry,
        **health,
        "name": name,
        "image": _image(on, part.image),
        "essential": True,
        "command": list(part.command),
        "readonlyRootFilesystem": True,
        "linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}, "tmpfs": [temporary]},
        "environment": [{"name": key, "value": _fill(on, value)} for key, value in {**chosen, **part.own}.items()],
        "secrets": [
            {"name": renamed.get(secret, secret), "valueFrom": _version(on.kept[secret])}
            for secret in (*part.secrets, *part.own_secrets)
            if secret in on.kept
        ],
        "portMappings": [{"containerPort": part.port, "protocol": "tcp"}] if part.port else [],
        "mountPoints": mounts,
        "stopTimeout": 120,  # the most that Fargate gives
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": log.name,
                "awslogs-region": on.options.region,
                "awslogs-stream-prefix": name,
            },
        },
    }


def _version(secret: aws.secretsmanager.SecretVersion) -> pulumi.Output[str]:
    """One version of it and no other: a value that is changed makes another task, so that its service starts anew."""
    return pulumi.Output.format("{0}:::{1}", secret.secret_arn, secret.version_id)


def _image(on: Ground, image: str) -> pulumi.Input[str]:
    if image in OF_OTHERS:
        return OF_OTHERS[image]
    return pulumi.Output.format("{0}:{1}", on.repositories[image].repository_url, on.options.release)


def _fill(on: Ground, value: str) -> pulumi.Input[str]:
    """Fill in what is only known once it is made."""
    dask = f"tcp://dask-scheduler.{DOMAIN}:8786" if on.options.size.tasks["dask-worker"].most else ""
    known = {"region": on.options.region, "name": f"/{on.options.name}", "dask": dask}
    made = pulumi.Output.all(bucket=on.store.bucket, key=on.key.arn, topic=on.told.arn)
    return made.apply(lambda found: _replace(value, {**known, **found}))


def _replace(text: str, found: dict[str, str]) -> str:
    for name, value in found.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _volumes(on: Ground, part: Part) -> list[dict[str, Any]]:
    disks = [
        {
            "name": disk,
            "efs_volume_configuration": {
                "file_system_id": on.disks.system.id,
                "transit_encryption": "ENABLED",
                "authorization_config": {"access_point_id": getattr(on.disks, disk).id, "iam": "ENABLED"},
            },
        }
        for disk in part.mounts
    ]
    return [*disks, *([{"name": "scratch"}] if part.scratch else [])]


def _service(
    on: Ground,
    name: str,
    task: aws.ecs.TaskDefinition,
    *,
    after: Sequence[pulumi.Resource],
    front: Front | None = None,
) -> aws.ecs.Service:
    size = on.options.size.tasks[name]
    named = aws.servicediscovery.Service(
        name,
        name=name,
        dns_config={
            "namespace_id": on.place.names.id,
            "routing_policy": "MULTIVALUE",
            "dns_records": [{"ttl": 5, "type": "A"}],
        },
        tags=on.options.tags(name),
    )
    behind: Sequence[dict[str, Any]] = (
        [{"target_group_arn": front.router.arn, "container_name": name, "container_port": 7000}] if front else []
    )
    scales = ["desiredCount"] if size.most > size.least else []  # theirs is what auto-scaling made of it
    alone = size.most == 1  # a second scheduler or Prometheus beside the old one would write to the same disk
    return aws.ecs.Service(
        name,
        name=name,
        cluster=on.place.cluster.arn,
        task_definition=task.arn,
        launch_type="FARGATE",
        desired_count=size.least,
        deployment_minimum_healthy_percent=0 if alone else 100,
        deployment_maximum_percent=100 if alone else 200,
        deployment_circuit_breaker={"enable": True, "rollback": True},
        enable_execute_command=False,
        network_configuration={
            "subnets": on.net.private_ids,
            "security_groups": [on.net.services.id],
            "assign_public_ip": False,
        },
        service_registries={"registry_arn": named.arn},
        load_balancers=list(behind),
        propagate_tags="SERVICE",
        wait_for_steady_state=name == _FIRST,
        tags=on.options.tags(name),
        opts=pulumi.ResourceOptions(depends_on=[*after, *([front.listener] if front else [])], ignore_changes=scales),
    )


def _scale(on: Ground, name: str, service: aws.ecs.Service) -> None:
    """More tasks while the ones that there are are busy."""
    size = on.options.size.tasks[name]
    target = aws.appautoscaling.Target(
        name,
        service_namespace="ecs",
        resource_id=pulumi.Output.format("service/{0}/{1}", on.place.cluster.name, service.name),
        scalable_dimension="ecs:service:DesiredCount",
        min_capacity=size.least,
        max_capacity=size.most,
    )
    aws.appautoscaling.Policy(
        name,
        policy_type="TargetTrackingScaling",
        service_namespace=target.service_namespace,
        resource_id=target.resource_id,
        scalable_dimension=target.scalable_dimension,
        target_tracking_scaling_policy_configuration={
            "target_value": _BUSY_PERCENT,
            "predefined_metric_specification": {"predefined_metric_type": "ECSServiceAverageCPUUtilization"},
            "scale_in_cooldown": 300,
            "scale_out_cooldown": 30,
        },
    )
