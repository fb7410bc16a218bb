// What one data thread is, without its sockets: a table, the zones, the responder over them, and the changes that arrive.
import type { Forwarder } from '../forward/forwarder.ts';
import { COUNTER, type Counters } from '../plane/counters.ts';
import { applyEntry, type ChangeTarget } from '../plane/messages.ts';
import type { HashSeed } from '../plane/name-hash.ts';
import type { ResponderSettings } from '../plane/settings.ts';
import { createResponder, type Responder } from './respond.ts';
import { createTable } from './table.ts';
import { createZones, isInZones } from './zones.ts';

export interface EngineDeps {
  readonly slots: Uint8Array;
  readonly counters: Counters;
  readonly settings: ResponderSettings;
  readonly hashSeed: HashSeed;
  readonly rotationSeed: number;
  /** Made here because it asks which names are ours; undefined: nothing is forwarded. */
  readonly createForwarder?: (isOurs: (name: Uint8Array) => boolean) => Forwarder;
  onError(error: Error): void;
}

export interface Engine extends Responder {
  readonly counters: Counters;
  readonly forwarder: Forwarder | undefined;
  /** Applies one message of changes (plane/messages.ts). */
  apply(message: ArrayBuffer): void;
}

export function createEngine(deps: EngineDeps): Engine {
  const table = createTable();
  const zones = createZones();
  const forwarder = deps.createForwarder?.((name) => isInZones(zones, name, deps.hashSeed));
  const { counters } = deps;
  const responder = createResponder({ ...deps, table, zones, forwarder });
  const target: ChangeTarget = {
    replaceName: table.replace,
    removeName: table.remove,
    replaceZone: zones.replace,
    removeZone: zones.remove,
  };

  return {
    ...responder,
    counters,
    forwarder,
    apply(message) {
      const words = new Int32Array(message);
      for (let at = 0; at < words.length; ) {
        at = applyEntry(words, at, target);
        counters[COUNTER.APPLIED]++;
      }
      counters[COUNTER.NAMES] = table.names();
      counters[COUNTER.RECORDS] = table.records();
      counters[COUNTER.TABLE_BYTES] = table.bytes();
      counters[COUNTER.ZONES] = zones.count();
    },
  };
}
