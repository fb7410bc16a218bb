// The names of the cluster, by the specification and from the API server's objects alone: the reference for reasons
// that depend on whether a name exists.
import { reverseName } from '../../dns/name.ts';
import type { Port } from './objects.ts';
import type { EndpointAddress, PodMode, World, WorldService } from './world.ts';

export type Standing =
  /** It has records. */
  | 'answers'
  /** It would have records if an endpoint of its service were ready. */
  | 'unready'
  /** As above, but CoreDNS answers, because it does not know that the pod is dead. */
  | 'dead'
  /** Its endpoints are published although their slices report them as not ready. */
  | 'unready-published'
  /** It exists for names below it only (empty non-terminal). */
  | 'empty';

export interface Names {
  /** undefined: the name does not exist. */
  standing(name: string): Standing | undefined;
}

/** Memorized for a world. */
const known = new WeakMap<World, Partial<Record<PodMode, Names>>>();

export function namesOf(world: World, pods: PodMode): Names {
  const forWorld = known.get(world) ?? {};
  known.set(world, forWorld);
  forWorld[pods] ??= collect(world, pods);
  return forWorld[pods];
}

const RANK: Record<Standing, number> = { answers: 4, 'unready-published': 3, dead: 2, unready: 1, empty: 0 };

function collect(world: World, pods: PodMode): Names {
  const { zone } = world;
  const standings = new Map<string, Standing>();
  const add = (name: string, standing: Standing) => {
    const before = standings.get(name);
    if (before === undefined || RANK[standing] > RANK[before]) standings.set(name, standing);
    if (before === undefined) addAbove(name);
  };
  const addAbove = (name: string) => {
    for (let dot = name.indexOf('.'); dot >= 0 && dot < name.length - 1; dot = name.indexOf('.', dot + 1)) {
      const above = name.slice(dot + 1);
      if (!isOurs(above, zone) || standings.has(above)) return;
      standings.set(above, 'empty');
    }
  };

  for (const name of [zone, `svc.${zone}`, `pod.${zone}`, `dns-version.${zone}`, `ns.dns.${zone}`])
    add(name, 'answers');
  for (const name of ['in-addr.arpa.', 'ip6.arpa.']) add(name, 'answers');
  for (const namespace of world.namespaces) {
    add(`${namespace}.svc.${zone}`, 'answers');
    if (pods !== 'disabled') add(`${namespace}.pod.${zone}`, 'answers');
  }
  for (const service of world.services) addService(service, world, add, addAbove);
  for (const { metadata, status } of pods === 'verified' ? world.pods : []) {
    if (metadata.deletionTimestamp !== undefined || /Succeeded|Failed/.test(status?.phase ?? '')) continue;
    for (const { ip } of status?.podIPs ?? []) add(`${dashed(ip)}.${metadata.namespace}.pod.${zone}`, 'answers');
  }
  return { standing: (name) => standings.get(name) };
}

export const dashed = (ip: string): string => ip.replace(/[.:]/g, '-');

/** In the zones that are served. */
export const isOurs = (name: string, zone: string): boolean => isBelow(name, zone) || isReverse(name);

export const isReverse = (name: string): boolean => /(^|\.)(in-addr|ip6)\.arpa\.$/.test(name);

/** Or the zone itself. */
export const isBelow = (name: string, zone: string): boolean => name === zone || name.endsWith(`.${zone}`);

type Add = (name: string, standing: Standing) => void;

function addService(service: WorldService, world: World, add: Add, addAbove: (name: string) => void): void {
  const { name, object, clusterIps, endpoints, isExternal, isHeadless } = service;
  if (isExternal) {
    if (isAnswerableAlias(service)) add(name, 'answers');
    return;
  }
  if (clusterIps.length > 0) add(name, 'answers');
  if (isHeadless) add(name, 'unready');
  for (const port of clusterIps.length > 0 ? (object.spec.ports ?? []) : []) addPort(name, port, 'answers', add);
  for (const ip of clusterIps) add(reverseName(ip), 'answers');
  for (const endpoint of endpoints) {
    const standing = standingOf(endpoint, service, world);
    if (isHeadless) add(name, standing);
    add(`${endpoint.label}.${name}`, standing);
    for (const port of isHeadless ? endpoint.ports : []) addPort(name, port, standing, add);
    const reverse = reverseName(endpoint.address);
    // The name of an unused address does not exist, but the names above it do.
    if (standing === 'unready') addAbove(reverse);
    else add(reverse, standing);
  }
}

function standingOf({ isReady, endpoint }: EndpointAddress, { object }: WorldService, world: World): Standing {
  if (object.spec.publishNotReadyAddresses === true) return isReady ? 'answers' : 'unready-published';
  return !isReady ? 'unready' : world.isDead(endpoint) ? 'dead' : 'answers';
}

function addPort(name: string, { name: label, protocol = 'TCP', port }: Port, standing: Standing, add: Add): void {
  if (label && port) add(`_${label}._${protocol.toLowerCase()}.${name}`, standing);
}

/** An address is not a name, and an alias to itself leads nowhere. */
export function isAnswerableAlias({ name, object }: WorldService): boolean {
  const target = targetOf(object.spec.externalName);
  return target !== name && !/^[0-9.]+$/.test(target);
}

export const targetOf = (externalName = ''): string => `${externalName.toLowerCase().replace(/\.$/, '')}.`;
