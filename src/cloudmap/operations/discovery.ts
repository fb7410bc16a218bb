import * as v from 'valibot';
import type { Random } from '../../clock.ts';
import type { Status } from '../../registry/model.ts';
import { type Api, allInstances, noInstance, serviceByName, serviceOf } from '../api.ts';
import { page } from '../list-pages.ts';
import {
  anyNamespaceName,
  attributes,
  discoverMaxResults,
  maxResults,
  nextToken,
  read,
  resourceId,
} from '../request-shapes.ts';

const named = { NamespaceName: anyNamespaceName, ServiceName: v.pipe(v.string(), v.maxLength(127)) };
const owner = { OwnerAccount: v.optional(v.string()) };
const discoverInput = v.object({
  ...named,
  ...owner,
  MaxResults: discoverMaxResults,
  QueryParameters: v.optional(attributes, {}),
  OptionalParameters: v.optional(attributes, {}),
  HealthStatus: v.optional(v.picklist(['HEALTHY', 'UNHEALTHY', 'ALL', 'HEALTHY_OR_ELSE_ALL']), 'HEALTHY_OR_ELSE_ALL'),
});

interface Candidate {
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly status: Status;
}

/** An instance whose health is not known yet counts as healthy, here and in DNS; its HealthStatus is UNKNOWN. */
export function discoverInstances(api: Api, input: unknown): object {
  const request = read(discoverInput, input);
  const [namespace, service] = serviceByName(api, request.NamespaceName, request.ServiceName);
  const statuses = api.health.statusesOf(service);
  const all: Candidate[] = [];
  for (const { id, attributes: given } of allInstances(api, service))
    if (matches(given, request.QueryParameters))
      all.push({ id, attributes: given, status: statuses.get(id) ?? 'UNKNOWN' });
  // AWS ignores HealthStatus for services without a health check. Tasks have health without one.
  const hasHealth = api.health.isChecked(service) || all.some(({ status }) => status !== 'UNKNOWN');
  const ofStatus = hasHealth ? withStatus(all, request.HealthStatus) : all;
  const preferred = ofStatus.filter((candidate) => matches(candidate.attributes, request.OptionalParameters));
  const found = atMost(preferred.length > 0 ? preferred : ofStatus, request.MaxResults, api.random);
  return {
    Instances: found.map((candidate) => ({
      InstanceId: candidate.id,
      NamespaceName: namespace.name,
      ServiceName: service.name,
      HealthStatus: candidate.status,
      Attributes: candidate.attributes,
    })),
    InstancesRevision: api.health.revision(service),
  };
}

function withStatus(all: readonly Candidate[], wanted: 'HEALTHY' | 'UNHEALTHY' | 'ALL' | 'HEALTHY_OR_ELSE_ALL') {
  const alive = all.filter(({ status }) => status !== 'UNHEALTHY');
  switch (wanted) {
    case 'ALL':
      return all;
    case 'HEALTHY':
      return alive;
    case 'UNHEALTHY':
      return all.filter(({ status }) => status === 'UNHEALTHY');
    case 'HEALTHY_OR_ELSE_ALL':
      return alive.length > 0 ? alive : all;
  }
}

function matches(given: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([key, value]) => given[key] === value);
}

/** A random choice, to spread clients that use only the first instances. */
function atMost<Item>(items: readonly Item[], count: number, random: Random): Item[] {
  const rest = [...items];
  for (let i = 0; i < Math.min(count, rest.length); i++) {
    const j = i + Math.floor(random() * (rest.length - i));
    [rest[i], rest[j]] = [rest[j]!, rest[i]!];
  }
  return rest.slice(0, count);
}

const revisionInput = v.object({ ...named, ...owner });

export function discoverInstancesRevision(api: Api, input: unknown): object {
  const request = read(revisionInput, input);
  const [, service] = serviceByName(api, request.NamespaceName, request.ServiceName);
  return { InstancesRevision: api.health.revision(service) };
}

const statusInput = v.object({
  ServiceId: resourceId,
  Instances: v.optional(v.pipe(v.array(v.pipe(v.string(), v.maxLength(64))), v.minLength(1), v.maxLength(1000))),
  MaxResults: maxResults,
  NextToken: nextToken,
});

/** HEALTHY, UNHEALTHY or UNKNOWN of each instance: the verdicts that DNS answers by. */
export function getInstancesHealthStatus(api: Api, input: unknown): object {
  const request = read(statusInput, input);
  const service = serviceOf(api, request.ServiceId);
  const ids = [...allInstances(api, service)].map(({ id }) => id);
  const known = new Set(ids);
  const missing = request.Instances?.find((id) => !known.has(id));
  if (missing !== undefined) throw noInstance(missing);
  const statuses = api.health.statusesOf(service);
  const { items, nextToken: token } = page(request.Instances ?? ids, (id) => id, request);
  return { Status: Object.fromEntries(items.map((id) => [id, statuses.get(id) ?? 'UNKNOWN'])), NextToken: token };
}
