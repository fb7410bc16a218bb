import * as v from 'valibot';
import { type Api, allInstances, namespaceOf, newServiceId, serviceArn, serviceOf } from '../api.ts';
import { AwsError } from '../aws-error.ts';
import { filtered, page } from '../list-pages.ts';
import { type DnsConfig, type HealthCheckConfig, idOf, type NamespaceRecord, type ServiceRecord } from '../records.ts';
import {
  description,
  dnsRecords,
  failureThreshold,
  filters,
  healthCheckConfig,
  maxResults,
  nextToken,
  read,
  requestId,
  resourceId,
  serviceAttributeKeys,
  serviceAttributes,
  serviceName,
  tags,
} from '../request-shapes.ts';
import { checkPolicyAttribute } from '../service-policy.ts';
import { fingerprintOf, finished } from './operations.ts';
import { tagsOf } from './tags.ts';

const dnsConfigInput = v.object({
  NamespaceId: v.optional(resourceId),
  RoutingPolicy: v.optional(v.picklist(['MULTIVALUE', 'WEIGHTED'])),
  DnsRecords: dnsRecords,
});
const createInput = v.object({
  Name: serviceName,
  NamespaceId: v.optional(resourceId),
  CreatorRequestId: requestId,
  Description: description,
  DnsConfig: v.optional(dnsConfigInput),
  HealthCheckConfig: v.optional(healthCheckConfig),
  HealthCheckCustomConfig: v.optional(v.object({ FailureThreshold: failureThreshold })),
  Tags: v.optional(tags, []),
  Type: v.optional(v.picklist(['HTTP'])),
});
type CreateInput = v.InferOutput<typeof createInput>;

/** A retry with the same CreatorRequestId returns the service again. */
export function createService(api: Api, input: unknown): Promise<object> {
  const request = read(createInput, input);
  const namespaceId = request.NamespaceId ?? request.DnsConfig?.NamespaceId;
  if (namespaceId === undefined) throw new AwsError('InvalidInput', 'NamespaceId is required');
  return api.state.mutate(() => {
    const namespace = namespaceOf(api, namespaceId);
    const existing = api.state.serviceNamed(namespace.id, request.Name);
    if (existing !== undefined) return { changes: [], result: { Service: again(api, existing, request) } };
    if (api.state.servicesOf(namespace.id).length >= api.limits.servicesPerNamespace)
      throw new AwsError('ResourceLimitExceeded', `at most ${api.limits.servicesPerNamespace} services a namespace`);
    const service = newService(api, namespace, request);
    return {
      changes: [{ collection: 'service', key: service.id, value: service }],
      result: { Service: describe(api, service, 0) },
    };
  });
}

function again(api: Api, existing: ServiceRecord, request: CreateInput): object {
  const isRetry = request.CreatorRequestId !== undefined && request.CreatorRequestId === existing.creatorRequestId;
  if (isRetry && fingerprintOf(request) === existing.fingerprint)
    return describe(api, existing, instanceCount(api, existing));
  throw new AwsError('ServiceAlreadyExists', `service ${request.Name} exists already in the namespace`, {
    ServiceId: existing.id,
    ServiceArn: serviceArn(api, existing.id),
    ...(existing.creatorRequestId && { CreatorRequestId: existing.creatorRequestId }),
  });
}

function newService(api: Api, namespace: NamespaceRecord, request: CreateInput): ServiceRecord {
  const dnsConfig = request.DnsConfig && dnsConfigOf(request.DnsConfig);
  if (dnsConfig && (namespace.type === 'HTTP' || request.Type === 'HTTP'))
    throw new AwsError(
      'InvalidInput',
      'DnsConfig: a service of type HTTP, or in an HTTP namespace, has no DNS records',
    );
  if (request.HealthCheckConfig && request.HealthCheckCustomConfig)
    throw new AwsError('InvalidInput', 'a service has HealthCheckConfig or HealthCheckCustomConfig, not both');
  const healthCheck = request.HealthCheckConfig && healthCheckOf(request.HealthCheckConfig, dnsConfig);
  return {
    id: newServiceId(api),
    namespaceId: namespace.id,
    name: request.Name,
    description: request.Description,
    creatorRequestId: request.CreatorRequestId,
    createMs: api.clock.now(),
    dnsConfig,
    healthCheckConfig: healthCheck,
    customHealth: request.HealthCheckCustomConfig !== undefined,
    ...(request.CreatorRequestId !== undefined && { fingerprint: fingerprintOf(request) }),
    attributes: {},
    tags: tagsOf(request.Tags),
  };
}

const typesOf = (dnsConfig: DnsConfig | undefined): string =>
  (dnsConfig?.records ?? [])
    .map(({ type }) => type)
    .sort()
    .join();

/** A, AAAA, A and AAAA, SRV, or CNAME (weighted, without health checks): the combinations that AWS documents for DnsRecord. */
function dnsConfigOf(input: v.InferOutput<typeof dnsConfigInput>): DnsConfig {
  const types = input.DnsRecords.map(({ Type }) => Type)
    .sort()
    .join(' and ');
  if (!['A', 'AAAA', 'A and AAAA', 'SRV', 'CNAME'].includes(types))
    throw new AwsError(
      'InvalidInput',
      `DnsRecords: ${types} cannot be combined; take A, AAAA, A and AAAA, SRV, or CNAME`,
    );
  const routingPolicy = input.RoutingPolicy ?? 'MULTIVALUE';
  if (types === 'CNAME' && routingPolicy !== 'WEIGHTED')
    throw new AwsError('InvalidInput', 'RoutingPolicy: CNAME records need WEIGHTED, as a name has one CNAME only');
  return { routingPolicy, records: input.DnsRecords.map(({ Type, TTL }) => ({ type: Type, ttlSeconds: TTL })) };
}

function healthCheckOf(
  input: v.InferOutput<typeof healthCheckConfig>,
  dnsConfig: DnsConfig | undefined,
): HealthCheckConfig {
  if (input.Type === 'TCP' && input.ResourcePath !== undefined)
    throw new AwsError('InvalidInput', 'HealthCheckConfig: TCP checks have no ResourcePath');
  if (dnsConfig?.records.some(({ type }) => type === 'CNAME'))
    throw new AwsError('InvalidInput', 'HealthCheckConfig: services with CNAME records cannot be health-checked');
  const resourcePath = input.Type === 'TCP' ? undefined : `/${(input.ResourcePath ?? '/').replace(/^\/+/, '')}`;
  return { type: input.Type, failureThreshold: input.FailureThreshold, ...(resourcePath && { resourcePath }) };
}

const idInput = v.object({ Id: resourceId });

export function getService(api: Api, input: unknown): object {
  const service = serviceOf(api, read(idInput, input).Id);
  return { Service: describe(api, service, instanceCount(api, service)) };
}

const listInput = v.object({ NextToken: nextToken, MaxResults: maxResults, Filters: filters });

export function listServices(api: Api, input: unknown): object {
  const request = read(listInput, input);
  const byId = request.Filters.map((filter) =>
    filter.Name === 'NAMESPACE_ID' ? { ...filter, Values: filter.Values.map(idOf) } : filter,
  );
  const services = filtered(api.state.services.values(), byId, {
    NAMESPACE_ID: { value: ({ namespaceId }) => namespaceId, conditions: ['EQ', 'IN'] },
    RESOURCE_OWNER: { value: () => 'SELF', conditions: ['EQ'] },
  });
  const { items, nextToken: token } = page(services, ({ id }) => id, request);
  const summary = (service: ServiceRecord) => ({
    ...describe(api, service, instanceCount(api, service)),
    NamespaceId: undefined,
    CreatorRequestId: undefined,
  });
  return { Services: items.map(summary), NextToken: token };
}

export function deleteService(api: Api, input: unknown): Promise<object> {
  const { Id } = read(idInput, input);
  return api.state.mutate(() => {
    const service = serviceOf(api, Id);
    if (instanceCount(api, service) > 0)
      throw new AwsError(
        'ResourceInUse',
        `service ${service.name} still has instances; deregister them, and stop its ECS tasks, first`,
      );
    return { changes: [{ collection: 'service', key: service.id, value: undefined }], result: {} };
  });
}

const updateInput = v.object({
  Id: resourceId,
  Service: v.object({
    Description: description,
    DnsConfig: v.optional(v.object({ DnsRecords: dnsRecords })),
    HealthCheckConfig: v.optional(healthCheckConfig),
  }),
});

/**
 * Changes the TTLs of records, and the health check. In DNS namespaces, DnsConfig and HealthCheckConfig are deleted if the
 * request omits them, as AWS documents; in HTTP namespaces an omitted HealthCheckConfig stays. Custom health always stays.
 */
export function updateService(api: Api, input: unknown): Promise<object> {
  const { Id, Service: change } = read(updateInput, input);
  return api.state.mutate(() => {
    const service = serviceOf(api, Id);
    const namespace = namespaceOf(api, service.namespaceId);
    const isHttp = namespace.type === 'HTTP';
    if (isHttp && change.DnsConfig)
      throw new AwsError('InvalidInput', 'DnsConfig: HTTP namespaces have no DNS records');
    if (change.HealthCheckConfig && service.customHealth)
      throw new AwsError('InvalidInput', 'a service has HealthCheckConfig or HealthCheckCustomConfig, not both');
    const routing = { RoutingPolicy: service.dnsConfig?.routingPolicy };
    const dnsConfig = change.DnsConfig && dnsConfigOf({ ...routing, ...change.DnsConfig });
    if (dnsConfig && typesOf(dnsConfig) !== typesOf(service.dnsConfig))
      throw new AwsError('InvalidInput', `DnsRecords: the types of ${service.name} cannot be changed, only their TTLs`);
    const healthCheck = change.HealthCheckConfig && healthCheckOf(change.HealthCheckConfig, dnsConfig);
    const value = {
      ...service,
      description: change.Description ?? service.description,
      dnsConfig,
      healthCheckConfig: healthCheck ?? (isHttp ? service.healthCheckConfig : undefined),
    };
    return finished(api, {
      type: 'UPDATE_SERVICE',
      targets: { SERVICE: service.id },
      change: { collection: 'service', key: service.id, value },
    });
  });
}

const MAX_ATTRIBUTES = 30;

const attributesInput = v.object({ ServiceId: resourceId });

export function getServiceAttributes(api: Api, input: unknown): object {
  const service = serviceOf(api, read(attributesInput, input).ServiceId);
  return {
    ServiceAttributes: {
      ServiceArn: serviceArn(api, service.id),
      ResourceOwner: api.account,
      Attributes: service.attributes,
    },
  };
}

const updateAttributesInput = v.object({ ServiceId: resourceId, Attributes: serviceAttributes });

export function updateServiceAttributes(api: Api, input: unknown): Promise<object> {
  const { ServiceId, Attributes } = read(updateAttributesInput, input);
  return api.state.mutate(() => {
    const service = serviceOf(api, ServiceId);
    const attributes = { ...service.attributes, ...Attributes };
    if (Object.keys(attributes).length > MAX_ATTRIBUTES)
      throw new AwsError(
        'ServiceAttributesLimitExceededException',
        `a service has at most ${MAX_ATTRIBUTES} attributes`,
      );
    checkPolicyAttribute(attributes);
    return { changes: [{ collection: 'service', key: service.id, value: { ...service, attributes } }], result: {} };
  });
}

const deleteAttributesInput = v.object({ ServiceId: resourceId, Attributes: serviceAttributeKeys });

export function deleteServiceAttributes(api: Api, input: unknown): Promise<object> {
  const { ServiceId, Attributes } = read(deleteAttributesInput, input);
  return api.state.mutate(() => {
    const service = serviceOf(api, ServiceId);
    const kept = Object.entries(service.attributes).filter(([key]) => !Attributes.includes(key));
    const value = { ...service, attributes: Object.fromEntries(kept) };
    return { changes: [{ collection: 'service', key: service.id, value }], result: {} };
  });
}

/** Also of ECS tasks, as in AWS. */
const instanceCount = (api: Api, service: ServiceRecord): number => [...allInstances(api, service)].length;

function describe(api: Api, service: ServiceRecord, instances: number): object {
  const { dnsConfig, healthCheckConfig: check } = service;
  return {
    Id: service.id,
    Arn: serviceArn(api, service.id),
    ResourceOwner: api.account,
    CreatedByAccount: api.account,
    Name: service.name,
    NamespaceId: service.namespaceId,
    Description: service.description,
    InstanceCount: instances,
    Type: dnsConfig ? 'DNS_HTTP' : 'HTTP',
    DnsConfig: dnsConfig && {
      NamespaceId: service.namespaceId,
      RoutingPolicy: dnsConfig.routingPolicy,
      DnsRecords: dnsConfig.records.map(({ type, ttlSeconds }) => ({ Type: type, TTL: ttlSeconds })),
    },
    HealthCheckConfig: check && {
      Type: check.type,
      ResourcePath: check.resourcePath,
      FailureThreshold: check.failureThreshold,
    },
    HealthCheckCustomConfig: service.customHealth ? { FailureThreshold: 1 } : undefined,
    CreateDate: new Date(service.createMs),
    CreatorRequestId: service.creatorRequestId,
  };
}
