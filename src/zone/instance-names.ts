// The addresses of a service's instances: all under the service's name, each under its own.
import { NameError, parseName, type WireName } from '../dns/name.ts';
import { TYPE } from '../dns/types.ts';
import type { Compilation } from './compile.ts';
import { isOfKubernetes, publishes } from './conventions.ts';
import { answersAsInstance, answersAsService, rrsetOf } from './draft.ts';
import type { Endpoint } from './endpoint.ts';
import { childName } from './label.ts';
import { instanceSrv } from './srv.ts';

/** A and AAAA at the service's name: headless services (specification 2.4.1), static and Cloud Map services. */
export function serviceAddresses(compilation: Compilation, endpoints: readonly Endpoint[]): void {
  const { service, bases, drafts } = compilation;
  const answering = answersAsService(service.policy, service.ttlSeconds);
  for (const base of bases) {
    if (endpoints.length === 0) {
      withoutInstances(compilation, base);
      continue;
    }
    const draft = drafts.at(base);
    for (const { type, rdata, slot, weight } of endpoints) {
      if (!publishes(service, type === TYPE.A ? 'A' : 'AAAA')) continue;
      rrsetOf(draft, type, answering).records.push({ rdata, slot, weight });
    }
  }
  if (publishes(service, 'CNAME')) instanceCnames(compilation);
}

/** Nobody to answer with is the same as nobody healthy to answer with. */
function withoutInstances({ service, drafts }: Compilation, base: WireName): void {
  const { whenAllUnhealthy } = service.policy;
  if (whenAllUnhealthy === 'nxdomain') return;
  const draft = drafts.at(base);
  if (whenAllUnhealthy !== 'servfail') return;
  const answering = answersAsService(service.policy, service.ttlSeconds);
  for (const type of [TYPE.A, TYPE.AAAA]) rrsetOf(draft, type, answering);
}

/** A, AAAA and (Kubernetes) SRV at `<hostname or dashed address>.<service>`, `<instance id>.<service>` elsewhere. */
export function instanceNames(compilation: Compilation, endpoints: readonly Endpoint[]): void {
  const { service, bases, drafts, context } = compilation;
  const answering = answersAsInstance(service.policy, service.ttlSeconds);
  for (const base of bases) {
    for (const endpoint of endpoints) {
      const name = childName(endpoint.label, base);
      if (name === undefined) {
        context.leftOut(`instance ${endpoint.instance.id}: its name is longer than 255 bytes`);
        continue;
      }
      const draft = drafts.at(name);
      const { rdata, slot } = endpoint;
      rrsetOf(draft, endpoint.type, answering).records.push({ rdata, slot, weight: 1 });
      if (isOfKubernetes(service)) instanceSrv(draft, endpoint, answering);
    }
  }
}

/** Cloud Map: AWS_INSTANCE_CNAME of an instance, where the service publishes CNAME. A name has one CNAME (RFC 2181 10.1). */
function instanceCnames({ service, state, bases, drafts, context }: Compilation): void {
  const answering = { ...answersAsService(service.policy, service.ttlSeconds), maxAnswers: 1 };
  for (const { instance, slot, weight } of state.instances.values()) {
    const target = instance.attributes.AWS_INSTANCE_CNAME;
    if (target === undefined) continue;
    try {
      const rdata = parseName(target);
      for (const base of bases) {
        rrsetOf(drafts.at(base), TYPE.CNAME, answering).records.push({ rdata, slot, weight });
      }
    } catch (error) {
      if (!(error instanceof NameError)) throw error;
      context.leftOut(`instance ${instance.id}: AWS_INSTANCE_CNAME: ${error.message}`);
    }
  }
}
