// Differences in the endpoints answered: dead pods, endpoints published while not ready, weights, and slices without a service.
import { type Answer, type AnswerRecord, line } from '../answers/answer.ts';
import type { EndpointAddress, Stated, World, WorldService } from '../cluster/world.ts';
import { type Case, type Pair, type Reason, withoutRecords } from './reason.ts';

/** The endpoints that a record of an answer stands for. */
function statedBy(record: AnswerRecord, found: Case): Stated[] {
  const { world, name } = found;
  if (record.type === 'PTR') {
    return [...world.endpointsAt(name)].filter(
      ({ service, endpoint }) => record.rdata === `${endpoint.label}.${service.name}`,
    );
  }
  const service = world.serviceOf(name);
  if (service === undefined) return [];
  const [, , port, target] = record.type === 'SRV' ? record.rdata.split(' ') : [];
  return service.endpoints
    .filter((endpoint) => isAsked(endpoint, name, service) && isAt(endpoint, record, service))
    .filter((endpoint) =>
      target === undefined
        ? endpoint.address === record.rdata
        : target === `${endpoint.label}.${service.name}` && endpoint.ports.some((one) => one.port === Number(port)),
    )
    .map((endpoint) => ({ service, endpoint }));
}

/** Whether an endpoint is among those that a question is about: all, those of a label, those of a port. */
function isAsked(endpoint: EndpointAddress, name: string, service: WorldService): boolean {
  const before = name.slice(0, -service.name.length).split('.').slice(0, -1);
  if (before.length === 0) return true;
  if (before.length === 1) return endpoint.label === before[0];
  const [port, protocol] = before.map((label) => label.replace(/^_/, ''));
  return endpoint.ports.some(
    (one) =>
      (port === '' || one.name === port) && (protocol === '' || (one.protocol ?? 'TCP').toLowerCase() === protocol),
  );
}

/** The owner of glue is the name of the endpoint. */
function isAt(endpoint: EndpointAddress, record: AnswerRecord, service: WorldService): boolean {
  return record.name !== `${endpoint.label}.${service.name}`
    ? record.type === 'SRV' || !record.name.endsWith(`.${service.name}`) || record.name.startsWith('_')
    : true;
}

/**
 * `answer` without the records for whose endpoints `areLeftOut` holds. Those that stand for none stay, and so do those that
 * `other` has as well.
 */
function without(answer: Answer, found: Case, areLeftOut: (stated: readonly Stated[]) => boolean, other?: Answer) {
  const shared = new Set([...(other?.answers ?? []), ...(other?.additionals ?? [])].map(withoutWeight));
  const kept = (record: AnswerRecord) => {
    const stated = statedBy(record, found);
    return stated.length === 0 || !areLeftOut(stated) || shared.has(withoutWeight(record));
  };
  const answers = answer.answers.filter(kept);
  // Glue belongs to an answer, and is removed with its last record.
  const targets = new Set(answers.map(({ rdata }) => rdata.split(' ')[3]));
  const additionals = answer.additionals.filter(
    (one) => (found.type === 'SRV' ? targets.has(one.name) : true) && kept(one),
  );
  const rewritten = { ...answer, answers, additionals };
  const changed =
    rewritten.answers.length < answer.answers.length || rewritten.additionals.length < answer.additionals.length;
  return changed ? rewritten : undefined;
}

/** CoreDNS's outcome if no records remain: the name may have other records. */
const denialAt = ({ name, names }: Case): string => (names.standing(name) === 'answers' ? 'NOERROR' : 'NXDOMAIN');

const withoutWeight = (record: AnswerRecord): string =>
  record.type === 'SRV' ? line(record).replace(/ SRV 0 \d+ /, ' SRV ') : line(record);

const isDead = ({ service, endpoint: { endpoint } }: Stated, world: World): boolean =>
  service.object.spec.publishNotReadyAddresses !== true && world.isDead(endpoint);

const isPublishedUnready = ({ service, endpoint }: Stated): boolean =>
  service.object.spec.publishNotReadyAddresses === true && !endpoint.isReady;

export const DEAD_POD: Reason = {
  id: 'dead-pod',
  isHealth: true,
  rewrite(found) {
    const { coreDns, healthdns, world } = found;
    const alive = without(
      coreDns,
      found,
      (stated) => stated.every((one) => !one.endpoint.isReady || isDead(one, world)),
      healthdns,
    );
    if (alive === undefined) return undefined;
    if (alive.answers.length > 0) return { coreDns: alive };
    return { coreDns: withoutRecords(alive, denialAt(found), healthdns) };
  },
};

export const PUBLISH_NOT_READY: Reason = {
  id: 'publish-not-ready',
  isHealth: true,
  rewrite(found) {
    const { coreDns, healthdns } = found;
    const ready = without(healthdns, found, (stated) => stated.every(isPublishedUnready), coreDns);
    if (ready === undefined || (ready.answers.length === 0 && coreDns.answers.length > 0)) return undefined;
    if (ready.answers.length > 0) return { healthdns: ready };
    return { healthdns: withoutRecords(ready, coreDns.rcode, coreDns) };
  },
};

/** The same endpoint in several slices, which disagree about its readiness or its ports. */
export const SLICES_DISAGREE: Reason = {
  id: 'slices-disagree',
  isHealth: true,
  rewrite(found) {
    const { coreDns, healthdns } = found;
    const said = ({ isReady, ports }: EndpointAddress) => JSON.stringify([isReady, ports]);
    const isDisputed = ({ service, endpoint }: Stated) =>
      service.endpoints.some((other) => sameEndpoint(other, endpoint) && said(other) !== said(endpoint));
    const areDisputed = (stated: readonly Stated[]) =>
      stated.some(isDisputed) &&
      stated.every((one) => isDisputed(one) || !one.endpoint.isReady || isDead(one, found.world));
    const settled = [coreDns, healthdns].map((answer) => without(answer, found, areDisputed) ?? answer);
    const [theirs, ours] = settled as [Answer, Answer];
    if (theirs === coreDns && ours === healthdns) return denialInDispute(found, areDisputed);
    if (theirs.answers.length > 0 && ours.answers.length > 0) return { coreDns: theirs, healthdns: ours };
    // There is nothing else: even the existence of the name depends on which slice is right.
    return theirs.answers.length + ours.answers.length === 0 ? { coreDns: healthdns } : undefined;
  },
};

/** Neither has records of the type; whether the name exists depends on which slice is right. */
function denialInDispute(found: Case, areDisputed: (stated: readonly Stated[]) => boolean): Partial<Pair> | undefined {
  const { name, world, coreDns, healthdns } = found;
  if (coreDns.answers.length + healthdns.answers.length > 0) return undefined;
  const service = world.serviceOf(name);
  const atService = service?.endpoints
    .filter((endpoint) => isAsked(endpoint, name, service))
    .map((endpoint) => ({ service, endpoint }));
  const concerned = [...world.endpointsAt(name), ...(atService ?? [])];
  return concerned.length > 0 && areDisputed(concerned) ? { coreDns: healthdns } : undefined;
}

const sameEndpoint = (one: EndpointAddress, other: EndpointAddress): boolean =>
  one.address === other.address &&
  one.endpoint.hostname === other.endpoint.hostname &&
  one.endpoint.targetRef?.name === other.endpoint.targetRef?.name;

export const ORPHAN_SLICE: Reason = {
  id: 'slice-without-service',
  isHealth: true,
  rewrite({ type, coreDns, healthdns, world }) {
    if (type !== 'PTR') return undefined;
    // Slices outlive the service, and its becoming an alias.
    const answers = coreDns.answers.filter(({ rdata }) => world.serviceOf(rdata)?.isExternal === false);
    if (answers.length === coreDns.answers.length) return undefined;
    return { coreDns: answers.length > 0 ? { ...coreDns, answers } : withoutRecords(coreDns, 'NXDOMAIN', healthdns) };
  },
};

/** An additional address RRset is that of its name, whole: also of endpoints that share the name and lack the port. */
export const GLUE_OF_NAME: Reason = {
  id: 'glue-of-name',
  rewrite({ type, name, world, coreDns, healthdns }) {
    const service = world.serviceOf(name);
    if (type !== 'SRV' || service === undefined) return undefined;
    const targets = new Set(healthdns.answers.map(({ rdata }) => rdata.split(' ')[3]));
    const theirs = new Set(coreDns.additionals.map(line));
    const isMore = (record: AnswerRecord) =>
      !theirs.has(line(record)) &&
      targets.has(record.name) &&
      world.endpointsAt(record.name).some(({ endpoint }) => endpoint.address === record.rdata);
    const additionals = healthdns.additionals.filter((record) => !isMore(record));
    return additionals.length < healthdns.additionals.length ? { healthdns: { ...healthdns, additionals } } : undefined;
  },
};

/** If all weights within each answer are equal, both answers are equivalent (RFC 2782). */
export const SRV_WEIGHT: Reason = {
  id: 'srv-weight',
  isHealth: true,
  rewrite({ type, coreDns, healthdns }) {
    const weight = ({ rdata }: AnswerRecord) => rdata.split(' ')[1]!;
    const [theirs, ours] = [coreDns, healthdns].map(({ answers }) => new Set(answers.map(weight)));
    if (type !== 'SRV' || theirs!.size !== 1 || ours!.size !== 1 || [...theirs!][0] === [...ours!][0]) return undefined;
    const answers = healthdns.answers.map((record) => ({
      ...record,
      rdata: record.rdata.replace(/^(\d+) \d+/, `$1 ${[...theirs!][0]}`),
    }));
    return { healthdns: { ...healthdns, answers: sorted(answers) } };
  },
};

function sorted(records: AnswerRecord[]): AnswerRecord[] {
  return records.sort((a, b) => (line(a) < line(b) ? -1 : 1));
}
