// The names of a service that answers its instances: headless, static and Cloud Map services. A, AAAA, SRV and CNAME at its
// own name, SRV at the names of its ports.
import { NameError, parseName } from '../../dns/name.ts';
import { TYPE } from '../../dns/types.ts';
import type { ResourceRecord } from '../../plane/records.ts';
import { addNumber, addText, begin, combined, type Fingerprint, finish } from '../publish/fingerprint.ts';
import type { Compilation } from './compile.ts';
import { publishes } from './conventions.ts';
import { type Answering, answersAsService, type NameDraft, rrsetOf } from './draft.ts';
import type { Endpoint } from './endpoint.ts';
import { PLAN, plan } from './plan.ts';
import { addSrv, type PortGroup, portGroups, portName, type SrvMember, srvRecords } from './srv.ts';

export function serviceNames(compilation: Compilation, endpoints: readonly Endpoint[]): void {
  const { service, bases, plans, context } = compilation;
  const answering = answersAsService(service.policy, service.ttlSeconds);
  const cnames = publishes(service, 'CNAME') ? instanceCnames(compilation) : [];
  // Nobody to answer with is the same as nobody healthy to answer with.
  if (endpoints.length + cnames.length === 0 && service.policy.whenAllUnhealthy === 'nxdomain') return;
  const own = cnames.length === 0 ? endpoints : [...endpoints, ...cnames];
  const groups = publishes(service, 'SRV') ? portGroups(endpoints) : [];
  const all = allPorts(endpoints, groups);
  const whole = combined(own);
  bases.forEach((base, i) => {
    let srv: readonly ResourceRecord[] | undefined;
    const srvOfAll = () => (srv ??= srvRecords(service, base, all));
    plans.push(
      plan(PLAN.BASE, compilation.fingerprint, '', [whole], {
        base: i,
        isBase: true,
        name: () => base,
        fill(draft) {
          fillAddresses(draft, compilation, endpoints, answering);
          fillCnames(draft, cnames, answering);
          if (all.length > 0 && publishes(service, 'SRV')) addSrv(draft, srvOfAll(), answering);
        },
      }),
    );
    for (const { key, port, members } of groups) {
      const name = portName(port, base, context.leftOut);
      if (name === undefined) continue;
      const parts = members === all ? whole : combined(members.map(({ endpoint }) => endpoint));
      plans.push(
        plan(PLAN.PORT, compilation.fingerprint, key, [parts], {
          base: i,
          isBase: false,
          name: () => name,
          fill: (draft) => addSrv(draft, members === all ? srvOfAll() : srvRecords(service, base, members), answering),
        }),
      );
    }
  });
}

/** Where all endpoints have one port, of one name, that is the list of its group. */
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
    endpoint.record ??= { rdata, slot, weight };
    rrsetOf(draft, type, type === TYPE.A ? answering : answeringAaaa).records.push(endpoint.record);
  }
}

interface InstanceCname extends Fingerprint {
  readonly target: Uint8Array;
  readonly slot: number;
  readonly weight: number;
}

/** Cloud Map: AWS_INSTANCE_CNAME of an instance, where the service publishes CNAME. */
function instanceCnames({ state, context }: Compilation): InstanceCname[] {
  const cnames: InstanceCname[] = [];
  for (const { instance, slot, weight } of state.instances.values()) {
    const target = instance.attributes.AWS_INSTANCE_CNAME;
    if (target === undefined) continue;
    try {
      begin(1);
      addText(target);
      addNumber(slot);
      addNumber(weight * 1000);
      cnames.push({ ...finish(), target: parseName(target), slot, weight });
    } catch (error) {
      if (!(error instanceof NameError)) throw error;
      context.leftOut(`instance ${instance.id}: AWS_INSTANCE_CNAME: ${error.message}`);
    }
  }
  return cnames;
}

/** A name has one CNAME (RFC 2181 section 10.1): one of them is answered. */
function fillCnames(draft: NameDraft, cnames: readonly InstanceCname[], answering: Answering): void {
  for (const { target, slot, weight } of cnames) {
    const rrset = rrsetOf(draft, TYPE.CNAME, { ...answering, maxAnswers: 1 });
    rrset.records.push({ rdata: target, slot, weight });
  }
}
