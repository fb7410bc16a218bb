// What changed in a repeated instance: names and records, only its health, or nothing.
import type { HealthCheck, Instance, ServicePort } from './model.ts';
import { sameFacts, sameTexts } from './subjects.ts';

export type Difference = 'structure' | 'facts' | 'none';

/** The largest difference between two versions of one instance. */
export function difference(old: Instance, restated: Instance): Difference {
  if (old === restated) return 'none';
  if (!sameStructure(old, restated)) return 'structure';
  return sameFacts(old.facts, restated.facts) && sameTexts(old.subjects, restated.subjects) ? 'none' : 'facts';
}

function sameStructure(one: Instance, other: Instance): boolean {
  return (
    one.id === other.id &&
    one.hostname === other.hostname &&
    one.cluster === other.cluster &&
    one.weight === other.weight &&
    sameCheck(one.healthCheck, other.healthCheck) &&
    sameTexts(one.addresses, other.addresses) &&
    samePorts(one.ports, other.ports) &&
    sameAttributes(one.attributes, other.attributes)
  );
}

const sameCheck = (one: HealthCheck | undefined, other: HealthCheck | undefined): boolean =>
  one === other || JSON.stringify(one) === JSON.stringify(other);

function samePorts(one: readonly ServicePort[], other: readonly ServicePort[]): boolean {
  if (one === other) return true;
  const samePort = (port: ServicePort, index: number) =>
    port.port === other[index].port && port.name === other[index].name && port.protocol === other[index].protocol;
  return one.length === other.length && one.every(samePort);
}

function sameAttributes(one: Instance['attributes'], other: Instance['attributes']): boolean {
  if (one === other) return true;
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => one[key] === other[key]);
}

/** Identifies an instance within its service. Neither addresses nor, by validation, ids contain a line feed. */
export const identity = ({ id, addresses }: Pick<Instance, 'id' | 'addresses'>): string =>
  `${id}\n${addresses.join(' ')}`;
