// Namespaces: their existence, and the names of their pods, "<dashed address>.<namespace>.pod" (specification 2.6).
import type { WireName } from '../../dns/name.ts';
import { keyOfName } from '../../plane/pod-names.ts';
import type { Service } from '../../registry/model.ts';
import { type Compilation, expandTemplate } from './compilation.ts';
import { addressName, fitsBelow } from './label.ts';
import { draftOf, published } from './published-name.ts';

const POD_TEMPLATE = '{namespace}.pod';

/** The names of verified pods are published apart from their namespace (zone/publish/pod-publication.ts). */
export function namespaceNames({ service, bases, names, context }: Compilation): void {
  for (const base of bases) names.push(published(draftOf(base)));
  const { podNames = 'disabled', ttlSeconds } = service;
  if (podNames === 'disabled') return;
  const name = podsName(service, context.zone, context.leftOut);
  if (name === undefined) return;
  const synthesizesPodAddresses = podNames === 'verified' ? { ttlSeconds, isVerified: true } : { ttlSeconds };
  names.push(published({ ...draftOf(name), synthesizesPodAddresses }));
}

/** The name that the pods of a namespace have theirs below. */
export const podsName = (
  { namespace }: Pick<Service, 'namespace'>,
  zone: WireName,
  leftOut: (problem: string) => void,
): WireName | undefined => expandTemplate(POD_TEMPLATE, { namespace, name: '' }, zone, leftOut);

/** The name of a pod with an address; undefined: there is none. */
export function podName(address: string, below: WireName): WireName | undefined {
  if (!fitsBelow(address, below)) return undefined;
  const name = addressName(address, below);
  return keyOfName(name) < 0 ? undefined : name;
}
