"""One key, and one secret per setting that must not be read: tasks get them by name, nobody finds them in a task definition."""

import json

import pulumi
import pulumi_aws as aws

from ratchet_cloud.options import Options

NAMES = {
    "PREDICTION_SECRET": "predictionSecret",
    "SPLIT_SALT": "splitSalt",
    "AIRFLOW_PASSWORD": "airflowPassword",
    "AIRFLOW_JWT_SECRET": "airflowJwtSecret",
    "AIRFLOW_FERNET_KEY": "airflowFernetKey",
    "AIRFLOW_SECRET_KEY": "airflowSecretKey",
    "NOTIFY_URLS": "notifyUrls",
    "GITHUB_TOKEN": "githubToken",
}


def make_key(options: Options) -> aws.kms.Key:
    """Declare the key that encrypts everything; it turns every year."""
    account = aws.get_caller_identity_output().account_id
    policy = account.apply(lambda number: json.dumps(_policy(number, options.region)))
    return aws.kms.Key(
        "key",
        description=f"{options.name}: data at rest",
        enable_key_rotation=True,
        deletion_window_in_days=30,
        policy=policy,
        tags=options.tags("key"),
        opts=pulumi.ResourceOptions(protect=True),
    )


def _policy(account: str, region: str) -> dict[str, object]:
    """The account's own roles decide; logs are encrypted with it, and alarms may reach an encrypted topic."""
    logs = {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{region}:{account}:log-group:*"}}
    alarms = {"StringEquals": {"aws:SourceAccount": account}}
    encrypt = ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
    return {
        "Version": "2012-10-17",
        "Statement": [
            _allow({"AWS": f"arn:aws:iam::{account}:root"}, ["kms:*"]),
            _allow({"Service": f"logs.{region}.amazonaws.com"}, encrypt) | {"Condition": logs},
            _allow({"Service": "cloudwatch.amazonaws.com"}, ["kms:Decrypt", "kms:GenerateDataKey*"])
            | {"Condition": alarms},
        ],
    }


def _allow(principal: dict[str, str], actions: list[str]) -> dict[str, object]:
    return {"Effect": "Allow", "Principal": principal, "Action": actions, "Resource": "*"}


def make(
    options: Options, key: aws.kms.Key, *, database: aws.rds.Instance, broker: aws.elasticache.ReplicationGroup
) -> dict[str, aws.secretsmanager.SecretVersion]:
    """Declare the secrets, by the name of the setting that each is; a task that waits for one finds its value there."""
    given = options.secrets
    values: dict[str, pulumi.Output[str]] = {name: given[source] for name, source in NAMES.items() if source in given}
    values["DATABASE_URL"] = pulumi.Output.format(
        "postgresql://ratchet:{0}@{1}:5432/ratchet", given["postgresPassword"], database.address
    )
    values["MLFLOW_BACKEND_STORE_URI"] = pulumi.Output.format(
        "postgresql+psycopg2://ratchet:{0}@{1}:5432/mlflow", given["postgresPassword"], database.address
    )
    values["CELERY_BROKER_URL"] = pulumi.Output.format(
        "rediss://:{0}@{1}:6379/0?ssl_cert_reqs=required", given["redisPassword"], broker.primary_endpoint_address
    )
    made = {}
    for name, value in values.items():
        resource = name.lower().replace("_", "-")
        secret = aws.secretsmanager.Secret(
            resource, name_prefix=f"{options.name}/{resource}-", kms_key_id=key.arn, tags=options.tags(resource)
        )
        made[name] = aws.secretsmanager.SecretVersion(
            resource, secret_id=secret.id, secret_string=pulumi.Output.secret(value)
        )
    return made
