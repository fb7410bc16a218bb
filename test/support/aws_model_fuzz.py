"""Fuzzes an AWS JSON endpoint with inputs generated from botocore's service model.

Usage: aws_model_fuzz.py URL SERVICE RUNS SEED. Fails unless each response is either an output that the model allows, or a 4xx
with an error that the model lists for the operation (or that all AWS JSON services share), after which nothing has changed.
"""

import http.client
import json
import random
import re
import sys
from urllib.parse import urlparse

import botocore.session

url, service, runs, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
model = botocore.session.get_session().get_service_model(service)
chance = random.Random(seed)
connection = http.client.HTTPConnection(urlparse(url).netloc, timeout=30)

COMMON = {
    "SerializationException",
    "UnknownOperationException",
    "AccessDeniedException",
    "RequestEntityTooLargeException",
    "RequestLimitExceeded",
}
#: Errors that a service uses for invalid input although its model does not list them everywhere.
ALWAYS = {"servicediscovery": {"InvalidInput"}, "ecs": {"InvalidParameterException", "ClientException"}}[service]

#: The operations that the endpoint has.
supported = sys.argv[5].split(",") if len(sys.argv) > 5 else model.operation_names

#: Values of earlier responses, by the member's lower-case name, so that some requests refer to what exists.
seen = {}


def call(operation, body):
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": f"{model.metadata['targetPrefix']}.{operation}",
    }
    connection.request("POST", "/", body, headers)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def remember(name, value):
    if isinstance(value, dict):
        for key, member in value.items():
            remember(key, member)
    elif isinstance(value, list):
        for member in value:
            remember(name, member)
    elif isinstance(value, str) and re.search(r"(id|arn|name|family)s?$", name.lower()):
        seen.setdefault(name.lower(), []).append(value)
        del seen[name.lower()][:-20]


WORDS = ["", " ", "a", "web", "x.local", "fuzz.example", "-", "_", ".", "..", "é", "\0", "\ud83d\ude00", "ns-none", "arn:aws:none",
         "A" * 65, "b" * 256, "c" * 2000, "10.0.0.1", "0", "null", "../../x", "$(id)", "%00", "constructor", "__proto__"]
VALUES = {"AWS_INSTANCE_IPV4": "10.0.0.1", "AWS_INSTANCE_PORT": "80", "AWS_INIT_HEALTH_STATUS": "HEALTHY", "k": "v"}
ANYTHING = [None, True, -1, 0, 1.5, 2**53, 1e300, "", [], {}, [None], {"a": None}]


#: What an id of a kind of resource contains.
KINDS = {"namespace": "ns-", "service": "srv-"} if service == "servicediscovery" else {}


def kind_of(name):
    words = (name + operation_name).lower()
    return "namespace" if "namespace" in name.lower() else "service" if "service" in name.lower() else next((k for k in KINDS if k in words), "")


def text(shape, name):
    if shape.enum and chance.random() < 0.85:
        return chance.choice(shape.enum)
    known = [value for key, values in seen.items() if key in name.lower() or name.lower() in key for value in values]
    fitting = [value for value in known if KINDS.get(kind_of(name), "") in value] or known
    if fitting and chance.random() < 0.8:
        return chance.choice(fitting)
    if chance.random() < 0.5:
        return f"{chance.choice('abcdefgh')}{chance.randint(0, 99)}{'.' if service == 'servicediscovery' else '-'}fuzz"
    return chance.choice(WORDS)


def number(shape):
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max", 200)
    return chance.choice([low, high, low - 1, high + 1, chance.randint(low, high), 5, 30])


def generate(shape, name, depth=0):
    if chance.random() < 0.02:
        return chance.choice(ANYTHING)
    kind = shape.type_name
    if kind == "structure":
        members = {}
        for key, member in shape.members.items():
            wanted = 0.93 if key in shape.required_members else 0.35 / (1 + depth)
            if chance.random() < wanted:
                members[key] = generate(member, key, depth + 1)
        return members
    if kind == "list":
        return [generate(shape.member, name, depth + 1) for _ in range(chance.choice([0, 1, 1, 1, 2, 3]))]
    if kind == "map":
        keys = ["AWS_INSTANCE_IPV4", "AWS_INSTANCE_PORT", "AWS_INIT_HEALTH_STATUS", "k", "", "__proto__"]
        chosen = {chance.choice(keys) for _ in range(chance.choice([0, 1, 2]))}
        return {key: VALUES[key] if key in VALUES and chance.random() < 0.8 else generate(shape.value, name, depth + 1) for key in chosen}
    if kind == "string":
        return text(shape, name)
    if kind == "boolean":
        return chance.random() < 0.5
    if kind in ("integer", "long"):
        # Counts of tasks stay small: each is a process.
        return chance.choice([0, 1, 2, -1, 10**6]) if name.endswith("ount") else number(shape)
    if kind in ("double", "float"):
        return chance.choice([0.0, 1.5, 50.0, -1.0])
    if kind == "timestamp":
        return chance.choice([0, 1.7e9])
    raise AssertionError(kind)


def check(shape, value, path):
    """The output has only members of the model, of their types, enums and lengths."""
    kind = shape.type_name
    where = f"{path}: {value!r}"
    if kind == "structure":
        assert isinstance(value, dict), where
        for key, member in value.items():
            assert key in shape.members, f"{path}.{key} is not in the model"
            check(shape.members[key], member, f"{path}.{key}")
    elif kind == "list":
        assert isinstance(value, list), where
        for i, member in enumerate(value):
            check(shape.member, member, f"{path}[{i}]")
    elif kind == "map":
        assert isinstance(value, dict), where
        for key, member in value.items():
            check(shape.value, member, f"{path}.{key}")
    elif kind == "string":
        assert isinstance(value, str) and (not shape.enum or value in shape.enum), where
        pattern = shape.metadata.get("pattern")
        assert len(value) <= shape.metadata.get("max", len(value)), where
        # Python has no \p{…}.
        assert not pattern or "\\p{" in pattern or re.search(pattern, value), where
    elif kind == "boolean":
        assert isinstance(value, bool), where
    elif kind in ("integer", "long"):
        assert isinstance(value, int) and not isinstance(value, bool), where
    elif kind in ("timestamp", "double", "float"):
        assert isinstance(value, (int, float)), where


def contents():
    """All that the List operations without required input show, to compare before and after an error. Tasks of ECS, and services
    that are being deleted, end by themselves."""
    changing = {"ListTasks", "ListServices"} if service == "ecs" else set()
    lists = [name for name in supported if name.startswith("List") and name not in changing]
    return {name: call(name, "{}") for name in lists if not model.operation_model(name).input_shape.required_members}


CONTAINER = {"name": "web", "image": "none", "command": ["sleep", "60"], "portMappings": [{"containerPort": 80}]}


def make_valid(run):
    """Something that later requests can refer to: without it, most would be about what does not exist."""

    def made(name, given):
        answer = call(name, json.dumps(given))[1]
        remember(name, answer)
        return answer

    if service == "ecs":
        made("CreateCluster", {})
        made("RegisterTaskDefinition", {"family": "valid", "containerDefinitions": [CONTAINER]})
        made("CreateService", {"serviceName": "valid", "taskDefinition": "valid", "desiredCount": 1})
        made("RunTask", {"taskDefinition": "valid"})
        return
    made("CreateHttpNamespace", {"Name": f"valid{run}"})
    for namespace in made("ListNamespaces", {"MaxResults": 100})["Namespaces"][-1:]:
        created = made("CreateService", {"Name": f"valid{run}", "NamespaceId": namespace["Id"]}).get("Service", {})
        made("RegisterInstance", {"ServiceId": created.get("Id"), "InstanceId": "valid", "Attributes": {"k": "v"}})


outcomes = {}
for run in range(runs):
    if run % 100 == 0:
        make_valid(run)
    name = operation_name = chance.choice(supported)
    operation = model.operation_model(name)
    body = json.dumps(generate(operation.input_shape, name) if operation.input_shape else {})
    before = contents() if run % 20 == 0 else None
    status, answer = call(name, body)
    context = f"seed {seed} run {run}: {name} {body[:600]} -> {status} {json.dumps(answer)[:600]}"
    if status == 200:
        outcomes[name] = outcomes.get(name, 0) + 1
        if operation.output_shape is not None:
            check(operation.output_shape, answer, name)
        remember(name, answer)
    else:
        assert 400 <= status < 500, context
        code = answer["__type"]
        listed = {error.name for error in operation.error_shapes} | {error.error_code for error in operation.error_shapes}
        assert code in listed | COMMON | ALWAYS, context
        if before is not None:
            assert contents() == before, context
print(json.dumps({"runs": runs, "succeeded": outcomes}))
