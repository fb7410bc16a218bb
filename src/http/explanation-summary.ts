// An explanation in a sentence or two: what is answered, and why.
import { lastPart } from '../registry/reference.ts';
import type { NameExplanation } from '../zone/explain/explain.ts';
import type { ServiceExplanation } from './explanation.ts';

/** `missing`: the sources of the zone that have not synced. */
export function summarize(
  found: NameExplanation,
  services: readonly ServiceExplanation[],
  missing: readonly string[],
): string {
  const { zone, stale, exists, cut, dname, alias } = found;
  if (zone === undefined && missing.length > 0)
    return `SERVFAIL (EDE 14, not ready): ${missing.join(', ')} may have a zone for this name, and has not been read yet.`;
  if (zone === undefined) return 'Not in a zone of this server: forwarded if configured, else REFUSED.';
  const suffix = stale ? mayChange(missing) : '';
  if (exists === 'delegated')
    return `Delegated: answered with the name servers of ${short(cut!)} (a referral).${suffix}`;
  if (exists === 'redirected') {
    const where = alias === undefined ? 'to a name of more than 255 bytes (YXDOMAIN)' : `to ${short(alias)}`;
    return `Redirected by the DNAME of ${short(dname!)} ${where}.${suffix}`;
  }
  const has = answered(found);
  const said = has ?? `${denied(found, services, missing)}.`;
  return `${said}${exists === 'absent' ? '' : services.map(ofService).join('')}${has === undefined && !found.ready ? '' : suffix}`;
}

function mayChange(missing: readonly string[]): string {
  if (missing.length === 0) return ' The data are last-known-good: the API server has not confirmed them (EDE 3).';
  return ` The answer may change (EDE 3): ${missing.join(', ')} has not been read yet.`;
}

/** Describes the answered records; undefined: there are none. */
function answered({ exists, pods, alias, wildcard, rrsets }: NameExplanation): string | undefined {
  const alive = rrsets.filter(({ outcome }) => outcome === 'answered');
  if (alive.length === 0) return undefined;
  const [{ type, answered: records }] = alive;
  if (pods !== undefined)
    return `Has the ${type} record ${records[0]}: the address of ${pods.length > 1 ? 'the pods' : 'the pod'} ${pods.map(lastPart).join(', ')}.`;
  if (exists === 'pod-address') {
    return `Has the ${type} record ${records[0]}, which is part of the name (pods: insecure), whether or not a pod has that address.`;
  }
  const through = wildcard === undefined ? '' : `, through the wildcard ${short(wildcard)}`;
  const what =
    alias === undefined ? `Has ${alive.map((one) => one.type).join(', ')} records` : `Alias (CNAME) of ${short(alias)}`;
  const dead = rrsets.filter(({ outcome }) => outcome !== 'answered');
  const none = dead.map((one) => ` ${one.type}: ${one.outcome}.`).join('');
  return `${what}${through}.${none}`;
}

function denied(
  { zone, exists, rrsets, otherwise, ready, fallsThrough, below, owners }: NameExplanation,
  services: readonly ServiceExplanation[],
  missing: readonly string[],
): string {
  if (rrsets.some(({ outcome }) => outcome === 'SERVFAIL') && ready) return 'SERVFAIL';
  if (otherwise === 'SERVFAIL') {
    return `SERVFAIL (EDE 14, not ready): ${missing.join(', ')} has not synced, so the content of ${short(zone!)} is not known`;
  }
  const silent = owners.filter(({ types, isService }) => isService && types.length === 0);
  const [{ owner, reason } = { owner: undefined, reason: '' }] = silent;
  if (exists === 'absent') {
    const asked = fallsThrough ? ', unless upstream servers, which are queried (fallthrough), know it' : '';
    if (owner !== undefined) return `NXDOMAIN${asked}: the service ${owner} exists, but ${reason}`;
    const hint = below === undefined ? '' : `; the service ${below} has no instance or port of that name`;
    return `NXDOMAIN${asked}: nothing in ${zone} has this name${hint}`;
  }
  if (rrsets.length > 0) return `${otherwise}: none of its records may be answered`;
  const isNamespace = services.length > 0 && services.every(({ kind }) => kind === 'namespace');
  if (services.some(({ kind, isWhole }) => kind === 'instances' && isWhole)) return `${otherwise}: it has no records`;
  return `${otherwise}: ${isNamespace ? 'the name of a namespace, which has no records' : 'only names below it have records'}`;
}

function ofService({ kind, isWhole, policy, instances, more }: ServiceExplanation): string {
  if (more > 0 || kind === 'externalName') return '';
  if (!isWhole) return ofInstances(instances);
  if (kind !== 'instances') return '';
  const decides = `policy whenAllUnhealthy: ${policy.whenAllUnhealthy} decides`;
  if (instances.length === 0) return ` It has no instances: ${decides}.`;
  const alive = instances.filter((instance) => instance.answered).length;
  return ` ${alive} of ${instances.length} instances may be answered${alive === 0 ? `; ${decides}` : ''}.`;
}

/** A name of instances only: of an endpoint, an address or a port. */
function ofInstances(instances: ServiceExplanation['instances']): string {
  if (instances.length === 0) return '';
  if (instances.length === 1) {
    const [{ id, answered: isAnswered }] = instances;
    return ` It is about the instance ${id}, which may ${isAnswered ? '' : 'not '}be answered.`;
  }
  const alive = instances.filter((instance) => instance.answered).length;
  return ` It is about ${instances.length} instances, of which ${alive} may be answered.`;
}

const short = (name: string) => name.replace(/(?<=.)\.$/, '');
