// ExternalName services.
import type { AnswerRecord } from '../answers/answer.ts';
import { isAnswerableAlias, targetOf } from '../cluster/names.ts';
import { type Case, isNodata, isNxdomain, type Pair, type Reason } from './reason.ts';

const FOLLOWED_BY_COREDNS = new Set(['A', 'AAAA']);

/** CoreDNS answers an alias to A, AAAA and CNAME, and to the former two only where the target has such records. */
export const ALIASES: readonly Reason[] = [
  {
    id: 'cname-any-type',
    rewrite: (found) => (FOLLOWED_BY_COREDNS.has(found.type) || found.type === 'CNAME' ? undefined : followed(found)),
  },
  { id: 'cname-dangling', rewrite: (found) => (FOLLOWED_BY_COREDNS.has(found.type) ? followed(found) : undefined) },
  {
    id: 'cname-to-itself',
    rewrite({ name, world, coreDns, healthdns }) {
      const service = world.serviceOf(name);
      if (service?.name !== name || !service.isExternal || targetOf(service.object.spec.externalName) !== name)
        return undefined;
      const isLoop =
        coreDns.answers.length === 1 && coreDns.answers[0]!.type === 'CNAME' && coreDns.answers[0]!.rdata === name;
      return isNxdomain(healthdns) && (isLoop || isNodata(coreDns)) ? { coreDns: healthdns } : undefined;
    },
  },
];

/** The CNAMEs that follow from the cluster's objects, then exactly healthdns's answer for their target. */
async function followed({
  question,
  name,
  type,
  world,
  coreDns,
  healthdns,
  ask,
}: Case): Promise<Partial<Pair> | undefined> {
  const chain: Pick<AnswerRecord, 'name' | 'rdata'>[] = [];
  let target = name;
  for (;;) {
    const service = world.serviceOf(target);
    if (service?.name !== target || !service.isExternal) break;
    // To an address, or to itself: nothing is answered there.
    if (!isAnswerableAlias(service)) break;
    const next = targetOf(service.object.spec.externalName);
    chain.push({ name: target, rdata: next });
    target = next;
    if (type === 'ANY' || chain.some((record) => record.name === target)) break;
  }
  // To a name in another zone CoreDNS gives the CNAME, without the SOA that says that there is nothing more.
  const isChain = coreDns.answers.length === chain.length && coreDns.answers.every(({ type: at }) => at === 'CNAME');
  if (chain.length === 0 || !(isNodata(coreDns) || isChain)) return undefined;
  const isWhole = chain.every((record) =>
    healthdns.answers.some((one) => one.name === record.name && one.rdata === record.rdata),
  );
  if (!isWhole) return undefined;
  const rest = healthdns.answers.filter(
    (record) => record.type !== 'CNAME' || !chain.some(({ name: at }) => at === record.name),
  );
  const isLoop = chain.some((record) => record.name === target);
  const atTarget = await ask('healthdns', { ...question, name: target });
  const endsHere = isLoop || type === 'ANY' || atTarget.rcode === 'REFUSED';
  const sameRcode = healthdns.rcode === (endsHere ? 'NOERROR' : atTarget.rcode);
  // The target's TTLs count down where it is forwarded.
  const text = (records: readonly AnswerRecord[]) =>
    JSON.stringify(records.map((record) => ({ ...record, ttlSeconds: 0 })));
  const sameRest = text(rest) === text(endsHere ? [] : atTarget.answers);
  const sameAuthority = text(healthdns.authorities) === text(endsHere ? [] : atTarget.authorities);
  return sameRcode && sameRest && sameAuthority ? { healthdns: coreDns } : undefined;
}
