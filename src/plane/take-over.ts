// New data threads take over the sockets of old ones. Both listen for a moment: the kernel gives new packets and connections to
// the new ones, and the old ones answer what they have received.
import type { Clock } from '../clock.ts';
import type { SocketAddress } from '../native/socket-address.ts';
import { addressesOf, type Crew } from './crew.ts';
import type { DataPlaneSettings } from './settings.ts';

/** Hosts files and lists of upstreams are read by then, or retried. */
const FILES_MS = 5_000;
/** Caches of the default size take a tenth of that. */
const CACHE_MS = 3_000;

/**
 * The new threads listen, and the old ones do no longer. Rejects if an address is not available or the new threads fail; then
 * the old ones answer as before.
 */
export async function takeOver(old: Crew, fresh: Crew, staysShared: boolean, clock: Clock): Promise<void> {
  if (old.listening().length === 0) return;
  await readFiles(fresh, clock);
  await within(CACHE_MS, handCachesOver(old, fresh), clock);
  const wanted = addressesToBind(old, fresh.settings);
  // The others first: nothing has been touched if one of them is not available.
  const isKept = (address: SocketAddress) => addressesOf(old.listening()).some((kept) => isSame(kept, address));
  const ordered = [...wanted.filter((one) => !isKept(one)), ...wanted.filter(isKept)];
  const wasShared = isShared(old.settings);
  if (await old.share(true)) {
    try {
      await fresh.listen(ordered, true);
    } catch (error) {
      await old.share(wasShared);
      throw error;
    }
    await old.stopListening();
  } else await takeOverOneByOne(old, fresh, ordered);
  if (!staysShared) await fresh.share(false);
}

/** Where sockets cannot be shared (without native calls), clients ask again in the moment between. */
async function takeOverOneByOne(old: Crew, fresh: Crew, addresses: readonly SocketAddress[]): Promise<void> {
  const before = addressesOf(old.listening());
  await old.stopListening();
  try {
    await fresh.listen(addresses, isShared(fresh.settings));
  } catch (error) {
    await old.listen(before, isShared(old.settings));
    throw error;
  }
}

/** Without them, the routing of names is unknown. */
async function readFiles(fresh: Crew, clock: Clock): Promise<void> {
  if (![fresh.settings, ...(fresh.settings.views ?? [])].some(({ forward }) => forward !== undefined)) return;
  await within(FILES_MS, fresh.filesRead, clock);
}

/** Each new thread receives the cache of one or more old ones. */
async function handCachesOver(old: Crew, fresh: Crew): Promise<void> {
  const givers = old.members;
  const takers = fresh.members;
  for (let i = 0; i < Math.max(givers.length, takers.length); i++) {
    const giver = givers[i % givers.length];
    const taker = takers[i % takers.length];
    if (giver !== undefined && taker !== undefined) await giver.thread.handCacheTo(taker.thread);
  }
}

/** A transfer that takes longer continues in the background. */
async function within(limitMs: number, work: Promise<void>, clock: Clock): Promise<void> {
  await Promise.race([work, new Promise<void>((resolve) => void clock.setTimeout(resolve, limitMs))]);
}

/** Port 0 stands for the port that was chosen before, as long as the file asks for the same addresses. */
function addressesToBind(old: Crew, { listen }: DataPlaneSettings): readonly SocketAddress[] {
  const bound = addressesOf(old.listening());
  return listen.map((address) => {
    const at = address.port === 0 ? old.settings.listen.findIndex((one) => isSame(one, address)) : -1;
    return bound[at] ?? address;
  });
}

const isShared = ({ threads, reusePort }: DataPlaneSettings): boolean => threads > 1 || reusePort === true;

const isSame = (a: SocketAddress, b: SocketAddress): boolean => a.address === b.address && a.port === b.port;
