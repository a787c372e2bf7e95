"""What is asked of a declared cloud stack: every resource by type and name, as `tests/unit/iac/declare.py` prints it."""

import json


def all_of(cloud, kind):
    found = [values for typ, made in cloud.items() if typ.startswith(kind) for values in made.values()]
    assert found, f"there is no {kind}"
    return found


def containers(cloud):
    for name, task in cloud["aws:ecs/taskDefinition:TaskDefinition"].items():
        for container in json.loads(task["containerDefinitions"]):
            yield name, container


def statements(cloud):
    for name, policy in cloud["aws:iam/rolePolicy:RolePolicy"].items():
        for statement in json.loads(policy["policy"])["Statement"]:
            yield name, statement


def waited_for(cloud, resource):
    """Everything, as `type::name`, that is there before this resource is made."""
    found, ahead = set(), [resource]
    while ahead:
        new = set(cloud["needs"].get(ahead.pop(), [])) - found
        found |= new
        ahead += new
    return found
