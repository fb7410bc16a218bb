// Differences of production servers: both forward, and CoreDNS caches the names of its cluster.
import { type Answer, type AnswerRecord, line } from '../answers/answer.ts';
import { isBelow, isReverse } from '../cluster/names.ts';
import type { Case, Reason } from './reason.ts';

/** Other servers answer it: both forward it, or neither has it. */
function isExternal({ name, names, world }: Case): boolean {
  if (isBelow(name, world.zone)) return false;
  return !isReverse(name) || !/^(answers|unready-published|dead|empty)$/.test(names.standing(name) ?? '');
}

/** CoreDNS repeats the flags of the upstream server, and sets RA in nothing else. */
export const RECURSION_AVAILABLE: Reason = {
  id: 'recursion-available',
  rewrite(found) {
    const { coreDns, healthdns } = found;
    const ignored = isExternal(found) ? ['aa', 'ra', 'ad'] : ['ra'];
    const [theirs, ours] = [coreDns, healthdns].map(({ flags }) => flags.split(' '));
    const differing = ignored.filter((flag) => theirs!.includes(flag) !== ours!.includes(flag));
    if (differing.length === 0) return undefined;
    const kept = theirs!.filter((flag) => !differing.includes(flag));
    const own = ours!.filter((flag) => !differing.includes(flag));
    return { coreDns: { ...coreDns, flags: kept.join(' ') }, healthdns: { ...healthdns, flags: own.join(' ') } };
  },
};

/** A name that one server denies in a zone with `fallthrough` is denied once more upstream, with a SOA and flags from there. */
export const REVERSE_FALLTHROUGH: Reason = {
  id: 'reverse-fallthrough',
  rewrite({ name, coreDns, healthdns }) {
    const isDenial = ({ rcode, answers }: Answer) => answers.length === 0 && /^(NXDOMAIN|NOERROR)$/.test(rcode);
    if (!isReverse(name) || !isDenial(coreDns) || !isDenial(healthdns)) return undefined;
    const isOwn = ({ authorities }: Answer) => authorities.some((record) => isReverseZone(record.name));
    if (isOwn(coreDns) === isOwn(healthdns)) return undefined;
    const upstream = isOwn(coreDns) ? healthdns : coreDns;
    const like = ({ flags, authorities }: Answer, answer: Answer) => ({ ...answer, flags, authorities });
    return { coreDns: like(upstream, coreDns), healthdns: like(upstream, healthdns) };
  },
};

const isReverseZone = (name: string): boolean => name === 'in-addr.arpa.' || name === 'ip6.arpa.';

/** The TTLs of what a cache has count down, in two caches from two different moments. */
export const CACHED_TTL: Reason = {
  id: 'cached-ttl',
  rewrite(found) {
    const { coreDns, healthdns } = found;
    const external = isExternal(found);
    const aligned = (theirs: readonly AnswerRecord[], ours: readonly AnswerRecord[]): readonly AnswerRecord[] => {
      const ttls = new Map(ours.map((record) => [identityOf(record), record.ttlSeconds]));
      return theirs.map((record) => {
        const ttlSeconds = ttls.get(identityOf(record));
        const isOlder = ttlSeconds !== undefined && (external || record.ttlSeconds < ttlSeconds);
        return isOlder ? { ...record, ttlSeconds } : record;
      });
    };
    const rewritten = {
      ...coreDns,
      answers: aligned(coreDns.answers, healthdns.answers),
      authorities: aligned(coreDns.authorities, healthdns.authorities),
      additionals: aligned(coreDns.additionals, healthdns.additionals),
    };
    return ttlsOf(rewritten) === ttlsOf(coreDns) ? undefined : { coreDns: rewritten };
  },
};

/** What stays of a record when others of these reasons apply as well. */
function identityOf(record: AnswerRecord): string {
  const { type, rdata } = record;
  const kept = type === 'SOA' ? '' : type === 'SRV' ? rdata.replace(/^(\d+) \d+/, '$1') : rdata;
  return line({ ...record, ttlSeconds: 0, rdata: kept });
}
const ttlsOf = (answer: Answer): string =>
  [...answer.answers, ...answer.authorities, ...answer.additionals].map(({ ttlSeconds }) => ttlSeconds).join();

/**
 * Upstream servers rotate, choose by place and load, and change: two answers of theirs are the same if they have the same rcode
 * and both have records of the type, or both have none.
 */
export const FORWARDED_ANSWER: Reason = {
  id: 'forwarded-answer',
  rewrite(found) {
    const { coreDns, healthdns, type } = found;
    if (!isExternal(found) || coreDns.rcode !== healthdns.rcode) return undefined;
    if (coreDns.rcode !== 'NOERROR' && coreDns.rcode !== 'NXDOMAIN') return undefined;
    const has = ({ answers }: Answer) => answers.some((record) => record.type === type || type === 'ANY');
    return has(coreDns) === has(healthdns) ? { coreDns: healthdns } : undefined;
  },
};

/** Nothing answers for the name: CoreDNS says SERVFAIL where a server block reaches its last plugin without an answer. */
export const REFUSED: Reason = {
  id: 'refused',
  rewrite(found) {
    const { coreDns, healthdns } = found;
    const isBare = [coreDns, healthdns].every(({ answers, authorities }) => answers.length + authorities.length === 0);
    if (!isBare || !isExternal(found) || coreDns.rcode !== 'SERVFAIL' || healthdns.rcode !== 'REFUSED')
      return undefined;
    return { coreDns: healthdns };
  },
};
