// The thread of DNS Push: it gets the same changes as the data threads, and the slots that flip. Without the setting there is
// none, and slots are written without notification.
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../clock.ts';
import type { Reading } from '../metrics.ts';
import { createCounters } from './counters.ts';
import { addTo, type Crew, type CrewDeps, type Member, startCrew } from './crew.ts';
import type { ListeningAddress } from './plane.ts';
import { pushReadings } from './push-readings.ts';
import type { DataPlaneSettings } from './settings.ts';
import type { SharedSlots } from './slots.ts';
import { takeOver } from './take-over.ts';

export interface PushCrew {
  members(): readonly Member[];
  /** Empty without the setting. */
  readings(): Reading[];
  listen(): Promise<readonly ListeningAddress[]>;
  listening(): readonly ListeningAddress[];
  /** As that of the plane; `others` are replaced as well, or nothing is. */
  replaceWith(settings: DataPlaneSettings, others: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

/**
 * What the push thread needs of the settings; undefined: there is none. Of what is in front of answers, only access lists: the
 * rest is applied where clients ask, by the cache that holds the session.
 */
const ofPush = ({
  push,
  responder,
  tcp,
  front,
  receiveBufferBytes,
}: DataPlaneSettings): DataPlaneSettings | undefined =>
  push && {
    ...{ push, listen: push.listen, threads: 1, udp: 'plain', tcp, receiveBufferBytes, forward: undefined },
    responder: { ...responder, forwarding: false },
    front: { acl: front?.acl ?? [], rewrites: [], autopath: undefined, dns64: undefined, queryLog: undefined },
  };

export function createPushCrew(
  settings: DataPlaneSettings,
  slots: SharedSlots,
  clock: Clock,
  crewDeps: Omit<CrewDeps, 'kind' | 'threadUrl'> & { readonly dataThreadUrl: URL },
): PushCrew {
  const { log, dataThreadUrl, ...common } = crewDeps;
  const deps: CrewDeps = {
    ...{ ...common, log, kind: 'push', waitingThread: undefined },
    threadUrl: new URL('./push-thread.js', dataThreadUrl),
  };
  const crews = new Set<Crew>();
  const ended = createCounters();
  let current = start(ofPush(settings));
  let inForce = settings;

  const members = (): Member[] => [...crews].flatMap((crew) => crew.members);

  const flipped = flipSender(members);
  const watch = (): void => slots.watch(crews.size > 0 ? flipped : undefined);
  watch();

  function start(wanted: DataPlaneSettings | undefined): Crew | undefined {
    if (wanted === undefined) return undefined;
    const crew = startCrew(wanted, deps);
    crews.add(crew);
    return crew;
  }

  const forget = (crew: Crew): void => {
    crews.delete(crew);
    for (const row of crew.rows) addTo(ended, row);
    watch();
  };

  const listenWith = async (crew: Crew): Promise<void> => {
    for (const { address, port, mode } of await crew.listen(crew.settings.listen, false))
      log('info', `DNS Push listens on ${address} port ${port} (${mode})`);
  };

  const replace = async (next: DataPlaneSettings): Promise<void> => {
    const wanted = ofPush(next);
    if (isDeepStrictEqual(wanted, current?.settings)) return;
    const fresh = start(wanted);
    watch();
    try {
      await fresh?.fill();
      if (fresh !== undefined && current !== undefined) await takeOver(current, fresh, false, clock);
      else if (fresh !== undefined) await listenWith(fresh);
    } catch (error) {
      await fresh?.close();
      if (fresh !== undefined) forget(fresh);
      throw error;
    }
    const leaving = current;
    current = fresh;
    if (leaving !== undefined) void leaving.drain().then(() => forget(leaving));
  };

  return {
    members,
    readings: () => (current === undefined ? [] : pushReadings([ended, ...[...crews].flatMap(({ rows }) => rows)])),
    listening: () => current?.listening() ?? [],
    async listen() {
      if (current !== undefined) await listenWith(current);
      return current?.listening() ?? [];
    },
    async replaceWith(next, others) {
      const previous = inForce;
      await replace(next);
      try {
        await others();
        inForce = next;
      } catch (error) {
        await replace(previous);
        throw error;
      }
    },
    async close() {
      slots.watch(undefined);
      await Promise.all([...crews].map((crew) => crew.close()));
    },
  };
}

/** All flips of one turn are sent in one message. */
function flipSender(members: () => readonly Member[]): (slot: number) => void {
  let flips: number[] = [];
  const send = (): void => {
    const flipped = Int32Array.from(flips);
    flips = [];
    for (const { thread } of members()) thread.sendFlips(flipped);
  };
  return (slot) => {
    if (flips.push(slot) === 1) queueMicrotask(send);
  };
}
