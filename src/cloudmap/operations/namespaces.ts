import * as v from 'valibot';
import { type Api, namespaceArn, namespaceOf, newNamespaceId } from '../api.ts';
import { AwsError } from '../aws-error.ts';
import { filtered, page } from '../list-pages.ts';
import { namespaceNameProblem } from '../namespace-names.ts';
import { canonicalName, type NamespaceRecord } from '../records.ts';
import {
  description,
  filters,
  maxResults,
  namespaceName,
  nextToken,
  read,
  requestId,
  resourceId,
  soa,
  tags,
} from '../request-shapes.ts';
import { earlierOperation, finished, retried } from './operations.ts';
import { tagsOf } from './tags.ts';

const common = { CreatorRequestId: requestId, Description: description, Tags: v.optional(tags, []) };
const dnsProperties = v.optional(v.object({ DnsProperties: v.object({ SOA: soa }) }));
const httpInput = v.object({ ...common, Name: namespaceName.http });
const publicInput = v.object({ ...common, Name: namespaceName.public, Properties: dnsProperties });
const privateInput = v.object({
  ...common,
  Name: namespaceName.private,
  Properties: dnsProperties,
  Vpc: v.pipe(v.string('Vpc is required'), v.minLength(1), v.maxLength(64)),
});

export function createHttpNamespace(api: Api, input: unknown): Promise<object> {
  return create(api, 'HTTP', read(httpInput, input));
}

export function createPublicDnsNamespace(api: Api, input: unknown): Promise<object> {
  return create(api, 'DNS_PUBLIC', read(publicInput, input));
}

/** Vpc is required and stored but has no effect: there is one network. */
export function createPrivateDnsNamespace(api: Api, input: unknown): Promise<object> {
  return create(api, 'DNS_PRIVATE', read(privateInput, input));
}

type CreateInput = v.InferOutput<typeof httpInput> &
  Partial<Pick<v.InferOutput<typeof privateInput>, 'Vpc' | 'Properties'>>;

/** A retry with the same CreatorRequestId returns the first operation again. */
function create(api: Api, type: NamespaceRecord['type'], input: CreateInput): Promise<object> {
  const problem = type === 'HTTP' ? undefined : namespaceNameProblem(input.Name, api.namespaceNames);
  if (problem !== undefined) throw new AwsError('InvalidInput', `Name: ${problem}`);
  const retry = retried(`namespace/${type}/${canonicalName(input.Name)}`, input.CreatorRequestId, input);
  return api.state.mutate(() => {
    const earlier = retry && api.state.operationOfRequest(retry.requestKey);
    const isSame = earlier?.fingerprint === retry?.fingerprint;
    if (earlier && isSame && api.state.namespaces.has(earlier.targets.NAMESPACE ?? ''))
      return { changes: [], result: { OperationId: earlier.id } };
    refuseDuplicate(api, input);
    if (api.state.namespaces.size >= api.limits.namespaces)
      throw new AwsError('ResourceLimitExceeded', `at most ${api.limits.namespaces} namespaces`);
    const id = newNamespaceId(api);
    const value: NamespaceRecord = {
      id,
      name: input.Name,
      type,
      description: input.Description,
      creatorRequestId: input.CreatorRequestId,
      createMs: api.clock.now(),
      tags: tagsOf(input.Tags),
      ...(type !== 'HTTP' && { soaTtlSeconds: input.Properties?.DnsProperties.SOA.TTL }),
      ...(input.Vpc && { vpc: input.Vpc }),
    };
    return finished(api, {
      type: 'CREATE_NAMESPACE',
      targets: { NAMESPACE: id },
      change: { collection: 'namespace', key: id, value },
      retried: retry,
    });
  });
}

/** With one network, names of namespaces are unique. AWS allows the same name in another VPC. */
function refuseDuplicate(api: Api, { Name }: CreateInput): void {
  for (const namespace of api.state.namespaces.values())
    if (canonicalName(namespace.name) === canonicalName(Name))
      throw new AwsError('NamespaceAlreadyExists', `namespace ${Name} exists already`, {
        NamespaceId: namespace.id,
        ...(namespace.creatorRequestId && { CreatorRequestId: namespace.creatorRequestId }),
      });
}

const idInput = v.object({ Id: resourceId });

export function getNamespace(api: Api, input: unknown): object {
  const namespace = namespaceOf(api, read(idInput, input).Id);
  return { Namespace: { ...summary(api, namespace), CreatorRequestId: namespace.creatorRequestId } };
}

const listInput = v.object({ NextToken: nextToken, MaxResults: maxResults, Filters: filters });

export function listNamespaces(api: Api, input: unknown): object {
  const request = read(listInput, input);
  const namespaces = filtered(api.state.namespaces.values(), request.Filters, {
    TYPE: { value: ({ type }) => type, conditions: ['EQ', 'BEGINS_WITH'] },
    NAME: { value: ({ name }) => name, conditions: ['EQ', 'BEGINS_WITH'] },
    HTTP_NAME: { value: ({ name }) => name, conditions: ['EQ', 'BEGINS_WITH'] },
    RESOURCE_OWNER: { value: () => 'SELF', conditions: ['EQ'] },
  });
  const { items, nextToken: token } = page(namespaces, ({ id }) => id, request);
  return { Namespaces: items.map((namespace) => summary(api, namespace)), NextToken: token };
}

export function deleteNamespace(api: Api, input: unknown): Promise<object> {
  const { Id } = read(idInput, input);
  return api.state.mutate(() => {
    const namespace = namespaceOf(api, Id);
    if (api.state.servicesOf(namespace.id).length > 0)
      throw new AwsError('ResourceInUse', `namespace ${namespace.name} still has services; delete them first`);
    return finished(api, {
      type: 'DELETE_NAMESPACE',
      targets: { NAMESPACE: namespace.id },
      change: { collection: 'namespace', key: namespace.id, value: undefined },
    });
  });
}

const update = { Id: resourceId, UpdaterRequestId: requestId };
const updateHttpInput = v.object({
  ...update,
  Namespace: v.object({ Description: v.pipe(v.string(), v.maxLength(1024)) }),
});
const updateDnsInput = v.object({
  ...update,
  Namespace: v.object({ Description: description, Properties: dnsProperties }),
});

export function updateHttpNamespace(api: Api, input: unknown): Promise<object> {
  return change(api, 'HTTP', read(updateHttpInput, input));
}

export function updatePublicDnsNamespace(api: Api, input: unknown): Promise<object> {
  return change(api, 'DNS_PUBLIC', read(updateDnsInput, input));
}

export function updatePrivateDnsNamespace(api: Api, input: unknown): Promise<object> {
  return change(api, 'DNS_PRIVATE', read(updateDnsInput, input));
}

function change(api: Api, type: NamespaceRecord['type'], input: v.InferOutput<typeof updateDnsInput>): Promise<object> {
  return api.state.mutate(() => {
    const namespace = namespaceOf(api, input.Id);
    if (namespace.type !== type)
      throw new AwsError('InvalidInput', `namespace ${namespace.name} is of type ${namespace.type}, not ${type}`);
    const retry = retried(`update/${namespace.id}`, input.UpdaterRequestId, input);
    const earlier = earlierOperation(api, retry);
    if (earlier !== undefined) return { changes: [], result: { OperationId: earlier.id } };
    const soaTtlSeconds = input.Namespace.Properties?.DnsProperties.SOA.TTL ?? namespace.soaTtlSeconds;
    const value = { ...namespace, description: input.Namespace.Description ?? namespace.description, soaTtlSeconds };
    return finished(api, {
      type: 'UPDATE_NAMESPACE',
      targets: { NAMESPACE: namespace.id },
      change: { collection: 'namespace', key: namespace.id, value },
      retried: retry,
    });
  });
}

function summary(api: Api, namespace: NamespaceRecord): object {
  const hostedZoneId = `Z${namespace.id.slice(3).toUpperCase()}`;
  return {
    Id: namespace.id,
    Arn: namespaceArn(api, namespace.id),
    ResourceOwner: api.account,
    Name: namespace.name,
    Type: namespace.type,
    Description: namespace.description,
    ServiceCount: api.state.servicesOf(namespace.id).length,
    Properties: {
      // As in AWS: HTTP namespaces have an empty SOA, others one only if the client set its TTL.
      DnsProperties:
        namespace.type === 'HTTP'
          ? { SOA: {} }
          : {
              HostedZoneId: hostedZoneId,
              SOA: namespace.soaTtlSeconds === undefined ? undefined : { TTL: namespace.soaTtlSeconds },
            },
      HttpProperties: { HttpName: namespace.name },
    },
    CreateDate: new Date(namespace.createMs),
  };
}
