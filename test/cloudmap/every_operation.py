"""Drives every operation of the Cloud Map API with boto3 against the endpoint given; fails on the first surprise."""

import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

# DiscoverInstances puts "data-" before the host name, which an address cannot have.
client = boto3.client(
    "servicediscovery",
    endpoint_url=sys.argv[1],
    region_name="us-east-1",
    aws_access_key_id="AKIDEXAMPLE",
    aws_secret_access_key="secret",
    config=Config(inject_host_prefix=False, retries={"total_max_attempts": 1}),
)
called = set()


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


def created(operation_id, kind):
    operation = call("get_operation", OperationId=operation_id)["Operation"]
    assert operation["Status"] == "SUCCESS", operation
    return operation["Targets"][kind]


# Namespaces
public = created(call("create_public_dns_namespace", Name="boto.example.com")["OperationId"], "NAMESPACE")
http = created(call("create_http_namespace", Name="boto-http")["OperationId"], "NAMESPACE")
private = created(call("create_private_dns_namespace", Name="boto.local", Vpc="vpc-1")["OperationId"], "NAMESPACE")
assert call("get_namespace", Id=private)["Namespace"]["Type"] == "DNS_PRIVATE"
refused("NamespaceAlreadyExists", "create_http_namespace", Name="boto-http")
soa = {"DnsProperties": {"SOA": {"TTL": 30}}}
call("update_public_dns_namespace", Id=public, Namespace={"Description": "p", "Properties": soa})
call("update_private_dns_namespace", Id=private, Namespace={"Description": "q", "Properties": soa})
call("update_http_namespace", Id=http, Namespace={"Description": "h"})
names = [n["Name"] for page in client.get_paginator("list_namespaces").paginate(PaginationConfig={"PageSize": 1}) for n in page["Namespaces"]]
called.add("list_namespaces")
assert sorted(names) == ["boto-http", "boto.example.com", "boto.local"], names

# Services
a_record = {"RoutingPolicy": "MULTIVALUE", "DnsRecords": [{"Type": "A", "TTL": 5}]}
service = call("create_service", Name="api", NamespaceId=private, DnsConfig=a_record, HealthCheckCustomConfig={"FailureThreshold": 1}, Tags=[{"Key": "k", "Value": "v"}])["Service"]
other = call("create_service", Name="tcp", NamespaceId=private, DnsConfig=a_record, HealthCheckConfig={"Type": "TCP", "FailureThreshold": 2})["Service"]
assert call("get_service", Id=service["Id"])["Service"]["DnsConfig"]["DnsRecords"] == [{"Type": "A", "TTL": 5}]
call("update_service", Id=other["Id"], Service={"Description": "d", "DnsConfig": {"DnsRecords": [{"Type": "A", "TTL": 9}]}})
assert "HealthCheckConfig" not in call("get_service", Id=other["Id"])["Service"]
assert len(call("list_services", Filters=[{"Name": "NAMESPACE_ID", "Values": [private]}])["Services"]) == 2
call("update_service_attributes", ServiceId=service["Id"], Attributes={"x": "1", "y": "2"})
call("delete_service_attributes", ServiceId=service["Id"], Attributes=["x"])
assert call("get_service_attributes", ServiceId=service["Id"])["ServiceAttributes"]["Attributes"] == {"y": "2"}

# Tags
call("tag_resource", ResourceARN=service["Arn"], Tags=[{"Key": "l", "Value": "w"}])
call("untag_resource", ResourceARN=service["Arn"], TagKeys=["k"])
assert call("list_tags_for_resource", ResourceARN=service["Arn"])["Tags"] == [{"Key": "l", "Value": "w"}]

# Instances and their health
for number in range(1, 4):
    address = {"AWS_INSTANCE_IPV4": f"10.9.0.{number}", "AWS_INSTANCE_PORT": "80"}
    created(call("register_instance", ServiceId=service["Id"], InstanceId=f"i-{number}", Attributes=address)["OperationId"], "INSTANCE")
assert call("get_instance", ServiceId=service["Id"], InstanceId="i-1")["Instance"]["Attributes"]["AWS_INSTANCE_IPV4"] == "10.9.0.1"
assert len(call("list_instances", ServiceId=service["Id"])["Instances"]) == 3
call("update_instance_custom_health_status", ServiceId=service["Id"], InstanceId="i-2", Status="UNHEALTHY")
statuses = call("get_instances_health_status", ServiceId=service["Id"])["Status"]
assert statuses == {"i-1": "HEALTHY", "i-2": "UNHEALTHY", "i-3": "HEALTHY"}, statuses
named = {"NamespaceName": "boto.local", "ServiceName": "api"}
found = call("discover_instances", **named, HealthStatus="HEALTHY")
assert sorted(i["InstanceId"] for i in found["Instances"]) == ["i-1", "i-3"], found
assert call("discover_instances_revision", **named)["InstancesRevision"] == found["InstancesRevision"]
refused("ServiceNotFound", "discover_instances", NamespaceName="boto.local", ServiceName="nobody")
refused("InstanceNotFound", "get_instance", ServiceId=service["Id"], InstanceId="i-9")
refused("InvalidInput", "register_instance", ServiceId=service["Id"], InstanceId="i-9", Attributes={"AWS_INSTANCE_IPV4": "no"})

# Taking it all down
refused("ResourceInUse", "delete_service", Id=service["Id"])
for number in range(1, 4):
    call("deregister_instance", ServiceId=service["Id"], InstanceId=f"i-{number}")
call("delete_service", Id=service["Id"])
call("delete_service", Id=other["Id"])
for namespace in (public, private, http):
    call("delete_namespace", Id=namespace)
assert len(call("list_operations", Filters=[{"Name": "TYPE", "Values": ["DELETE_NAMESPACE"]}])["Operations"]) == 3

from botocore import xform_name

missing = {xform_name(name) for name in client.meta.service_model.operation_names} - called
assert not missing, f"not called: {missing}"
print(f"{len(called)} operations")
