// The names of a service that answers its instances (headless, static and Cloud Map services): A, AAAA, SRV and CNAME at its
// own name, SRV at the names of its ports; and the names of its instances.
import { NameError, parseName, type WireName } from '../../dns/name.ts';
import { TYPE } from '../../dns/types.ts';
import type { ResourceRecord } from '../../plane/records.ts';
import { type Compilation, isOfKubernetes, publishes } from './compilation.ts';
import { type Endpoint, forEachName } from './endpoint.ts';
import { childName, fitsBelow } from './label.ts';
import {
  type Answering,
  addRRset,
  answersAsInstance,
  answersAsService,
  draftOf,
  type NameDraft,
  NO_BASE,
  published,
  rrsetOf,
} from './published-name.ts';
import { addSrvOf, type PortGroup, portGroups, portName, type SrvMember, srvRecords } from './srv.ts';

/** More SRV records than divide the weight: see srvWeight. */
const MANY = 1_000;

export function serviceNames(compilation: Compilation, endpoints: readonly Endpoint[]): void {
  const { service, bases, names, context, isPart } = compilation;
  const answering = answersAsService(service.policy, service.ttlSeconds);
  const srvOf = (base: WireName, members: readonly SrvMember[]) =>
    srvRecords(service, base, members, isPart ? MANY : members.length);
  const cnames = publishes(service, 'CNAME') ? instanceCnames(compilation) : [];
  // A service without instances answers as one without healthy instances.
  if (endpoints.length + cnames.length === 0 && service.policy.whenAllUnhealthy === 'nxdomain') return;
  const groups = publishes(service, 'SRV') ? portGroups(endpoints) : [];
  const all = publishes(service, 'SRV') ? allPorts(endpoints, groups) : [];
  bases.forEach((base, below) => {
    const srv = srvOf(base, all);
    const draft = draftOf(base);
    fillAddresses(draft, compilation, endpoints, answering);
    // A name has one CNAME (RFC 2181 section 10.1): one of them is answered.
    for (const cname of cnames) rrsetOf(draft, TYPE.CNAME, { ...answering, maxAnswers: 1 }).records.push(cname);
    if (all.length > 0) addRRset(draft, TYPE.SRV, answering, srv);
    names.push(published(draft, NO_BASE, isPart));
    for (const { port, members } of groups) {
      const name = portName(port, base, context.leftOut);
      if (name === undefined) continue;
      const portDraft = draftOf(name);
      addRRset(portDraft, TYPE.SRV, answering, members === all ? srv : srvOf(base, members));
      names.push(published(portDraft, below, isPart));
    }
  });
}

/** If all endpoints have one port with one name, that is the list of its group. */
function allPorts(endpoints: readonly Endpoint[], [group, ...others]: readonly PortGroup[]): readonly SrvMember[] {
  const isOne = others.length === 0 && group?.members.length === endpoints.length;
  if (isOne && endpoints.every(({ ports }) => ports.length === 1)) return group.members;
  return endpoints.flatMap((endpoint) => endpoint.ports.map(({ port }) => ({ endpoint, port })));
}

/** Specification 2.4.1. Without instances the RRsets are empty, so that `servfail` holds then as well. */
function fillAddresses(
  draft: NameDraft,
  { service }: Compilation,
  endpoints: readonly Endpoint[],
  answering: Answering,
): void {
  if (endpoints.length === 0 && service.policy.whenAllUnhealthy === 'servfail') {
    for (const type of [TYPE.A, TYPE.AAAA]) rrsetOf(draft, type, answering);
  }
  const answeringAaaa = { ...answering, ttlSeconds: service.ttlSecondsOfAaaa ?? answering.ttlSeconds };
  for (const endpoint of endpoints) {
    const { type, rdata, slot, weight } = endpoint;
    if (!publishes(service, type === TYPE.A ? 'A' : 'AAAA')) continue;
    rrsetOf(draft, type, type === TYPE.A ? answering : answeringAaaa).records.push({ rdata, slot, weight });
  }
}

/** Cloud Map: AWS_INSTANCE_CNAME of an instance, if the service publishes CNAME. */
function instanceCnames({ state, context }: Compilation): ResourceRecord[] {
  const cnames: ResourceRecord[] = [];
  for (const { instance, slot, weight } of state.instances.values()) {
    const target = instance.attributes.AWS_INSTANCE_CNAME;
    if (target === undefined) continue;
    try {
      cnames.push({ rdata: parseName(target), slot, weight });
    } catch (error) {
      if (!(error instanceof NameError)) throw error;
      context.leftOut(`instance ${instance.id}: AWS_INSTANCE_CNAME: ${error.message}`);
    }
  }
  return cnames;
}

/** A, AAAA and (Kubernetes) SRV at `<hostname or dashed address>.<service>`, `<instance id>.<service>` elsewhere. */
export function instanceNames(compilation: Compilation, endpoints: readonly Endpoint[]): void {
  const { service, bases, names, context } = compilation;
  const answering = answersAsInstance(service.policy, service.ttlSeconds);
  const areDistinct = endpoints.every((endpoint) => endpoint.hasAddressLabel) && compilation.hasDistinctAddresses;
  const hasPorts = isOfKubernetes(service);
  forEachName(endpoints, { keyOf: ({ label }) => label, areDistinct }, (members) => {
    const [{ label, state }] = members;
    for (let below = 0; below < bases.length; below++) {
      const base = bases[below];
      if (!fitsBelow(label, base)) {
        context.leftOut(`instance ${state.id}: its name is too long`);
        continue;
      }
      const draft = instanceDraft(childName(label, base), members, answering);
      if (hasPorts) addSrvOf(draft, service, base, members, answering);
      names.push(published(draft, below));
    }
  });
}

function instanceDraft(name: WireName, members: readonly Endpoint[], answering: Answering): NameDraft {
  const draft = draftOf(name);
  for (const { type, rdata, instanceSlot: slot } of members) {
    rrsetOf(draft, type, answering).records.push({ rdata, slot, weight: 1 });
  }
  return draft;
}
