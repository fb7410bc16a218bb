// The most frequent names and clients: a sample of the queries is counted in sketches of bounded size, and sent to the
// control plane every few seconds. How many are counted follows the load: all of a few queries, one in N of many, so that a data thread spends
// some 2 ms of each second on it (0.7 µs for a query that is counted). Each stands for N.
import type { Random } from '../clock.ts';
import { questionNameEnd } from '../dns/fast/question-reader.ts';
import { HEADER_BYTES } from '../dns/limits.ts';
import { LOWER } from '../dns/name.ts';
import { RCODE } from '../dns/types.ts';
import { SpaceSaving } from '../memory/space-saving.ts';
import { encodeTally, TOP_VIEWS, type TopView } from '../plane/tally.ts';

export interface Counting {
  /** How many queries later the next one is to be counted: 1 is the next. */
  skip(): number;
  /** Counts a query with its response of `responseLength` bytes (0: none). `client`: 4 or 16 bytes. */
  count(query: Uint8Array, queryLength: number, response: Uint8Array, responseLength: number, client: Uint8Array): void;
  /** The counts since the last call; undefined: none. */
  take(): ArrayBuffer | undefined;
}

export interface CountingDeps {
  readonly monotonicMs: () => number;
  readonly random: Random;
}

/** Keys in a sketch. */
const CAPACITY = 1_024;
/** Queries that are counted in one second. */
const PER_SECOND = 2_500;
/** If so many are counted in less than BURST_MS, the load has risen: from then on half as many are. */
const BURST = 500;
const BURST_MS = 100;

export function createCounting({ monotonicMs, random }: CountingDeps): Counting {
  const sketches: Record<TopView, SpaceSaving> = {
    names: new SpaceSaving(CAPACITY),
    clients: new SpaceSaving(CAPACITY),
    nxdomain: new SpaceSaving(CAPACITY / 2),
    servfail: new SpaceSaving(CAPACITY / 2),
  };
  const { names, clients, nxdomain, servfail } = sketches;
  const key = new Uint8Array(256);
  let seed = Math.floor(random() * 0x7fff_ffff) + 1;
  const hashSeed = Math.floor(random() * 0xffff_ffff);
  /** Of so many queries one is counted, for all of them. */
  let every = 1;
  let counted = 0;
  let burstMs = monotonicMs();
  let queries = 0;
  let takenMs = burstMs;

  /** Skips are random, or of traffic with a period (A and AAAA in turn) some would never be counted. By xorshift32. */
  const nextRandom = (): number => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return (seed >>> 0) / 0x1_0000_0000;
  };

  const noticeBurst = (): void => {
    if (++counted < BURST) return;
    const nowMs = monotonicMs();
    if (nowMs - burstMs < BURST_MS) every *= 2;
    counted = 0;
    burstMs = nowMs;
  };

  return {
    skip: () => 1 + Math.floor(nextRandom() * (2 * every - 1)),
    count(query, queryLength, response, responseLength, client) {
      const weight = every;
      queries += weight;
      noticeBurst();
      const clientLength = addressKey(client, key);
      if (clientLength > 0) clients.add(key, clientLength, hashOf(key, clientLength, hashSeed), weight);
      const end = questionNameEnd(query, queryLength);
      if (end === 0) return;
      const length = end - HEADER_BYTES;
      for (let i = 0; i < length; i++) key[i] = LOWER[query[HEADER_BYTES + i]];
      const hash = hashOf(key, length, hashSeed);
      names.add(key, length, hash, weight);
      const rcode = responseLength < HEADER_BYTES ? RCODE.NOERROR : response[3] & 0x0f;
      if (rcode === RCODE.NXDOMAIN) nxdomain.add(key, length, hash, weight);
      else if (rcode === RCODE.SERVFAIL) servfail.add(key, length, hash, weight);
    },
    take() {
      const nowMs = monotonicMs();
      const seconds = Math.max(0.001, (nowMs - takenMs) / 1_000);
      takenMs = nowMs;
      every = Math.max(1, Math.ceil(queries / seconds / PER_SECOND));
      if (queries === 0) return undefined;
      const views = TOP_VIEWS.map((view) => [view, [...sketches[view].entries()]]);
      const tally = encodeTally({ seconds, queries, views: Object.fromEntries(views) });
      for (const view of TOP_VIEWS) sketches[view].clear();
      queries = 0;
      return tally;
    },
  };
}

/** IPv4 clients of an IPv6 socket (::ffff:a.b.c.d) are IPv4. Returns the length. */
function addressKey(client: Uint8Array, key: Uint8Array): number {
  let from = client.length === 16 && client[10] === 0xff && client[11] === 0xff ? 12 : 0;
  for (let i = 0; i < 10 && from > 0; i++) if (client[i] !== 0) from = 0;
  for (let i = from; i < client.length; i++) key[i - from] = client[i];
  return client.length - from;
}

/** With a seed that clients do not know, so that they cannot choose names of one hash. */
function hashOf(key: Uint8Array, length: number, hashSeed: number): number {
  let hash = hashSeed | 0;
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ key[i], 0x0100_0193);
  return hash ^ (hash >>> 15);
}
