"""Drives every ECS operation that healthdns has with boto3 and its waiters against the endpoint given; fails on the first surprise."""

import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

client = boto3.client(
    "ecs",
    endpoint_url=sys.argv[1],
    region_name="us-east-1",
    aws_access_key_id="AKIDEXAMPLE",
    aws_secret_access_key="secret",
    config=Config(retries={"total_max_attempts": 1}),
)
called = set()
FAST = {"Delay": 1, "MaxAttempts": 60}


def call(operation, **arguments):
    called.add(operation)
    return getattr(client, operation)(**arguments)


def refused(code, operation, **arguments):
    try:
        call(operation, **arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400, error
        return error.response
    raise AssertionError(f"{operation} was not refused with {code}")


def completed(service):
    """The waiter does not wait for it."""
    deadline = time.monotonic() + 60
    while call("describe_services", cluster="boto", services=[service])["services"][0]["deployments"][0]["rolloutState"] != "COMPLETED":
        assert time.monotonic() < deadline, f"the deployment of {service} does not end"
        time.sleep(0.1)


# Clusters
cluster = call("create_cluster", clusterName="boto", tags=[{"key": "k", "value": "v"}])["cluster"]
assert cluster["status"] == "ACTIVE", cluster
assert cluster["clusterArn"] in call("list_clusters")["clusterArns"]
described = call("describe_clusters", clusters=["boto", "none"])
assert [one["clusterName"] for one in described["clusters"]] == ["boto"] and described["failures"][0]["reason"] == "MISSING"
refused("ClusterNotFoundException", "list_services", cluster="none")

# Task definitions
container = {"name": "web", "image": "none", "command": ["sleep", "600"], "portMappings": [{"containerPort": 80}]}
for revision in (1, 2):
    definition = call("register_task_definition", family="boto", containerDefinitions=[container])["taskDefinition"]
    assert definition["revision"] == revision and definition["status"] == "ACTIVE", definition
assert call("describe_task_definition", taskDefinition="boto")["taskDefinition"]["revision"] == 2
assert call("describe_task_definition", taskDefinition="boto:1")["taskDefinition"]["containerDefinitions"][0]["command"] == ["sleep", "600"]
arns = [arn for page in client.get_paginator("list_task_definitions").paginate(familyPrefix="boto", PaginationConfig={"PageSize": 1}) for arn in page["taskDefinitionArns"]]
called.add("list_task_definitions")
assert [arn.split("/")[1] for arn in arns] == ["boto:1", "boto:2"], arns
assert "boto" in call("list_task_definition_families")["families"]
assert call("deregister_task_definition", taskDefinition="boto:1")["taskDefinition"]["status"] == "INACTIVE"
refused("ClientException", "describe_task_definition", taskDefinition="none")
refused("ClientException", "register_task_definition", family="boto", containerDefinitions=[{**container, "secrets": [{"name": "a", "valueFrom": "b"}]}])
refused("InvalidParameterException", "register_task_definition", family="no good", containerDefinitions=[container])

# Services
service = call("create_service", cluster="boto", serviceName="web", taskDefinition="boto", desiredCount=2)["service"]
assert service["status"] == "ACTIVE" and service["desiredCount"] == 2, service
client.get_waiter("services_stable").wait(cluster="boto", services=["web"], WaiterConfig=FAST)
service = call("describe_services", cluster="boto", services=["web"])["services"][0]
assert service["runningCount"] == 2, service
completed("web")
refused("InvalidParameterException", "create_service", cluster="boto", serviceName="web", taskDefinition="boto")
refused("ServiceNotFoundException", "update_service", cluster="boto", service="none")
call("update_service", cluster="boto", service="web", desiredCount=3, forceNewDeployment=True)
client.get_waiter("services_stable").wait(cluster="boto", services=["web"], WaiterConfig=FAST)
assert call("list_services", cluster="boto")["serviceArns"] == [service["serviceArn"]]

# Tasks
tasks = call("list_tasks", cluster="boto", serviceName="web")["taskArns"]
assert len(tasks) == 3, tasks
assert {task["lastStatus"] for task in call("describe_tasks", cluster="boto", tasks=tasks)["tasks"]} == {"RUNNING"}
single = call("run_task", cluster="boto", taskDefinition="boto", startedBy="me")["tasks"][0]
client.get_waiter("tasks_running").wait(cluster="boto", tasks=[single["taskArn"]], WaiterConfig=FAST)
stopped = call("stop_task", cluster="boto", task=single["taskArn"], reason="enough")["task"]
assert stopped["desiredStatus"] == "STOPPED", stopped
client.get_waiter("tasks_stopped").wait(cluster="boto", tasks=[single["taskArn"]], WaiterConfig=FAST)
assert call("describe_tasks", cluster="boto", tasks=[single["taskArn"]])["tasks"][0]["stoppedReason"] == "enough"

call("register_task_definition", family="own", networkMode="awsvpc", containerDefinitions=[container])
own = call("run_task", cluster="boto", taskDefinition="own")["tasks"][0]
details = {one["name"]: one["value"] for one in own["attachments"][0]["details"]}
assert details["privateIPv4Address"].startswith("127."), own
call("stop_task", cluster="boto", task=own["taskArn"])
client.get_waiter("tasks_stopped").wait(cluster="boto", tasks=[own["taskArn"]], WaiterConfig=FAST)

# Tags
call("tag_resource", resourceArn=service["serviceArn"], tags=[{"key": "a", "value": "b"}, {"key": "c", "value": "d"}])
call("untag_resource", resourceArn=service["serviceArn"], tagKeys=["c"])
assert call("list_tags_for_resource", resourceArn=service["serviceArn"])["tags"] == [{"key": "a", "value": "b"}]

refused("InvalidParameterException", "tag_resource", resourceArn=service["serviceArn"], tags=[{"key": "aws:a", "value": "b"}])

call("tag_resource", resourceArn=tasks[0], tags=[{"key": "a", "value": "b"}])
assert call("describe_tasks", cluster="boto", tasks=tasks[:1], include=["TAGS"])["tasks"][0]["tags"] == [{"key": "a", "value": "b"}]
call("untag_resource", resourceArn=tasks[0], tagKeys=["a"])
assert call("list_tags_for_resource", resourceArn=tasks[0])["tags"] == []

# The end
refused("ClusterContainsServicesException", "delete_cluster", cluster="boto")
refused("InvalidParameterException", "delete_service", cluster="boto", service="web")
assert call("delete_service", cluster="boto", service="web", force=True)["service"]["status"] == "DRAINING"
client.get_waiter("services_inactive").wait(cluster="boto", services=["web"], WaiterConfig=FAST)
assert call("delete_cluster", cluster="boto")["cluster"]["status"] == "INACTIVE"
assert call("describe_clusters", clusters=["boto"])["clusters"][0]["status"] == "INACTIVE"
assert not [arn for arn in call("list_clusters")["clusterArns"] if arn.endswith("/boto")]
refused("ClusterNotFoundException", "list_services", cluster="boto")
print(len(called), "operations")
