import { isIPv4, isIPv6 } from 'node:net';
import * as v from 'valibot';
import {
  type Api,
  allInstances,
  type DiscoveredInstance,
  instanceOf,
  namespaceOf,
  noInstance,
  serviceOf,
} from '../api.ts';
import { AwsError } from '../aws-error.ts';
import { page } from '../list-pages.ts';
import { type InstanceRecord, instanceKey, type RecordType, type ServiceRecord } from '../records.ts';
import {
  attributes,
  instanceId,
  maxResults,
  nameProblem,
  nextToken,
  read,
  requestId,
  resourceId,
} from '../request-shapes.ts';
import { earlierOperation, finished, retried } from './operations.ts';

const registerInput = v.object({
  ServiceId: resourceId,
  InstanceId: instanceId,
  CreatorRequestId: requestId,
  Attributes: attributes,
});

/** Registers an instance, or replaces the attributes of one that is registered. */
export function registerInstance(api: Api, input: unknown): Promise<object> {
  const request = read(registerInput, input);
  return api.state.mutate(() => {
    const service = serviceOf(api, request.ServiceId);
    const instances = api.state.instancesOf(service.id);
    const before = instances.get(request.InstanceId);
    const retry = retried(`instance/${service.id}/${request.InstanceId}`, request.CreatorRequestId, request);
    // An instance that was deregistered since is registered again.
    const earlier = before && earlierOperation(api, retry);
    if (earlier) return { changes: [], result: { OperationId: earlier.id } };
    if (before === undefined && instances.size >= api.limits.instancesPerService)
      throw new AwsError('ResourceLimitExceeded', `at most ${api.limits.instancesPerService} instances a service`);
    const value = instanceRecord(api, service, request, before);
    return finished(api, {
      type: 'REGISTER_INSTANCE',
      targets: targetsOf(service, request.InstanceId),
      change: { collection: 'instance', key: instanceKey(service.id, request.InstanceId), value },
      retried: retry,
    });
  });
}

const targetsOf = (service: ServiceRecord, id: string) => ({
  INSTANCE: id,
  SERVICE: service.id,
  NAMESPACE: service.namespaceId,
});

function instanceRecord(
  api: Api,
  service: ServiceRecord,
  { InstanceId, CreatorRequestId, Attributes }: v.InferOutput<typeof registerInput>,
  before: InstanceRecord | undefined,
): InstanceRecord {
  const { AWS_INIT_HEALTH_STATUS: initial, ...kept } = Attributes;
  checkAttributes(api, service, Attributes);
  const sinceMs = api.clock.now();
  // The initial status of custom health is HEALTHY (RegisterInstance, AWS_INIT_HEALTH_STATUS).
  const status = (initial ?? before?.customStatus?.status ?? 'HEALTHY') as 'HEALTHY' | 'UNHEALTHY';
  const unchanged = before?.customStatus?.status === status;
  const customStatus = unchanged ? before.customStatus : { status, sinceMs };
  return {
    serviceId: service.id,
    id: InstanceId,
    creatorRequestId: CreatorRequestId,
    attributes: kept,
    ...(service.customHealth && { customStatus }),
    ...(before?.operator && { operator: before.operator }),
    registeredMs: before?.registeredMs ?? sinceMs,
  };
}

const NEEDED: Readonly<Record<RecordType, readonly string[]>> = {
  A: ['AWS_INSTANCE_IPV4'],
  AAAA: ['AWS_INSTANCE_IPV6'],
  SRV: ['AWS_INSTANCE_PORT'],
  CNAME: ['AWS_INSTANCE_CNAME'],
};

/** The rules of RegisterInstance's Attributes. */
function checkAttributes(api: Api, service: ServiceRecord, given: Readonly<Record<string, string>>): void {
  const refuse = (message: string): never => {
    throw new AwsError('InvalidInput', `Attributes: ${message}`);
  };
  const {
    AWS_INSTANCE_IPV4: ipv4,
    AWS_INSTANCE_IPV6: ipv6,
    AWS_INSTANCE_PORT: port,
    AWS_INSTANCE_CNAME: cname,
    AWS_INIT_HEALTH_STATUS: initial,
  } = given;
  if (ipv4 !== undefined && !isIPv4(ipv4)) refuse(`AWS_INSTANCE_IPV4 is not an IPv4 address: ${ipv4}`);
  if (ipv6 !== undefined && (!isIPv6(ipv6) || ipv6.includes('%')))
    refuse(`AWS_INSTANCE_IPV6 is not an IPv6 address: ${ipv6}`);
  if (port !== undefined && !(/^[0-9]{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65535))
    refuse(`AWS_INSTANCE_PORT is not a port from 1 to 65535: ${port}`);
  const cnameProblem = cname === undefined ? undefined : nameProblem(cname);
  if (cnameProblem) refuse(`AWS_INSTANCE_CNAME is not a domain name: ${cnameProblem}`);
  if (initial !== undefined && initial !== 'HEALTHY' && initial !== 'UNHEALTHY')
    refuse(`AWS_INIT_HEALTH_STATUS must be HEALTHY or UNHEALTHY, got ${initial}`);
  if (initial !== undefined && !service.customHealth)
    refuse('AWS_INIT_HEALTH_STATUS needs a service with HealthCheckCustomConfig');
  if (given.AWS_ALIAS_DNS_NAME !== undefined)
    refuse('AWS_ALIAS_DNS_NAME: Elastic Load Balancing aliases are not supported');
  if (given.AWS_EC2_INSTANCE_ID !== undefined && namespaceOf(api, service.namespaceId).type !== 'HTTP')
    refuse('AWS_EC2_INSTANCE_ID is for HTTP namespaces only');
  for (const { type } of service.dnsConfig?.records ?? [])
    for (const key of NEEDED[type]) if (given[key] === undefined) refuse(`the service's ${type} record needs ${key}`);
  const named = service.dnsConfig?.records.some(({ type }) => type === 'SRV');
  if (named && ipv4 === undefined && ipv6 === undefined)
    refuse("the service's SRV record needs AWS_INSTANCE_IPV4 or AWS_INSTANCE_IPV6 for its target");
  const checked = service.healthCheckConfig;
  if (checked && ipv4 === undefined && ipv6 === undefined)
    refuse('the health check of the service needs AWS_INSTANCE_IPV4 or AWS_INSTANCE_IPV6');
  if (checked?.type === 'TCP' && port === undefined)
    refuse('the TCP health check of the service needs AWS_INSTANCE_PORT');
}

const oneInput = v.object({ ServiceId: resourceId, InstanceId: v.pipe(v.string(), v.maxLength(64)) });

export function deregisterInstance(api: Api, input: unknown): Promise<object> {
  const { ServiceId, InstanceId } = read(oneInput, input);
  return api.state.mutate(() => {
    const service = serviceOf(api, ServiceId);
    instanceOf(api, service, InstanceId);
    return finished(api, {
      type: 'DEREGISTER_INSTANCE',
      targets: targetsOf(service, InstanceId),
      change: { collection: 'instance', key: instanceKey(service.id, InstanceId), value: undefined },
    });
  });
}

export function getInstance(api: Api, input: unknown): object {
  const { ServiceId, InstanceId } = read(oneInput, input);
  const service = serviceOf(api, ServiceId);
  for (const instance of allInstances(api, service)) {
    if (instance.id !== InstanceId) continue;
    const CreatorRequestId = instance.creatorRequestId;
    return { ResourceOwner: api.account, Instance: { ...described(api, instance), CreatorRequestId } };
  }
  throw noInstance(InstanceId);
}

const listInput = v.object({ ServiceId: resourceId, NextToken: nextToken, MaxResults: maxResults });

export function listInstances(api: Api, input: unknown): object {
  const request = read(listInput, input);
  const service = serviceOf(api, request.ServiceId);
  const { items, nextToken: token } = page([...allInstances(api, service)], ({ id }) => id, request);
  const instances = items.map((instance) => described(api, instance));
  return { ResourceOwner: api.account, Instances: instances, NextToken: token };
}

const described = (api: Api, instance: DiscoveredInstance) => ({
  Id: instance.id,
  Attributes: instance.attributes,
  CreatedByAccount: api.account,
});

const updateInput = v.object({
  ServiceId: resourceId,
  InstanceId: v.pipe(v.string(), v.maxLength(64)),
  Status: v.picklist(['HEALTHY', 'UNHEALTHY']),
});

/** Takes effect at once; AWS waits about 30 seconds. */
export function updateInstanceCustomHealthStatus(api: Api, input: unknown): Promise<object> {
  const { ServiceId, InstanceId, Status } = read(updateInput, input);
  return api.state.mutate(() => {
    const service = serviceOf(api, ServiceId);
    const instance = instanceOf(api, service, InstanceId);
    if (!service.customHealth)
      throw new AwsError('CustomHealthNotFound', `service ${service.name} has no HealthCheckCustomConfig`);
    if (instance.customStatus?.status === Status) return { changes: [], result: {} };
    const value = { ...instance, customStatus: { status: Status, sinceMs: api.clock.now() } };
    return { changes: [{ collection: 'instance', key: instanceKey(service.id, InstanceId), value }], result: {} };
  });
}
