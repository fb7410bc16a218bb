// The data plane in this thread, for tests: the same table and the same answers, no worker. With `listen` it opens plain
// UDP and TCP sockets here.

import { type Counters, createCounters } from '../../src/plane/counters.ts';
import { encodeChanges } from '../../src/plane/messages.ts';
import type { DataPlane } from '../../src/plane/records.ts';
import type { ResponderSettings } from '../../src/plane/settings.ts';
import { createSlots, type SharedSlots } from '../../src/plane/slots.ts';
import { createEngine, createPacketMemory, type Engine, type EngineDeps } from '../../src/thread/engine.ts';

export interface InProcessPlane extends DataPlane {
  readonly slots: SharedSlots;
  readonly engine: Engine;
  readonly counters: Counters;
  /** The response to a query, undefined where there is none (or it comes later). */
  respond(query: Uint8Array, transport?: 'udp' | 'tcp'): Uint8Array | undefined;
}

export interface InProcessOptions extends Partial<ResponderSettings> {
  readonly hashSeed?: number;
  readonly rotationSeed?: number;
  readonly slotCapacity?: number;
  /** How many queries may lie in the packet memory at once. */
  readonly packetSlots?: number;
  /** Native memory for them, as batched UDP needs it. */
  readonly allocate?: Parameters<typeof createPacketMemory>[2];
  readonly front?: EngineDeps['front'];
  readonly observer?: EngineDeps['observer'];
  readonly createForwarder?: EngineDeps['createForwarder'];
}

/** Changes that cannot be said on the wire, and bugs in the answer path, throw. */
export function createInProcessPlane(options: InProcessOptions = {}): InProcessPlane {
  const hashSeed = options.hashSeed ?? 0x1234_5678;
  const slots = createSlots(options.slotCapacity ?? 1 << 16);
  const counters = createCounters();
  const engine = createEngine({
    memory: createPacketMemory(options.packetSlots ?? 1, 4096, options.allocate),
    slots: slots.bytes,
    counters,
    settings: {
      udpPayloadBytes: options.udpPayloadBytes ?? 1232,
      versionBind: options.versionBind,
      idServer: options.idServer,
      forwarding: options.forwarding ?? false,
      tcpIdleMs: 10_000,
    },
    hashSeed,
    rotationSeed: options.rotationSeed ?? 1,
    front: options.front,
    observer: options.observer,
    createForwarder: options.createForwarder,
    onError: fail,
  });
  const out = new Uint8Array(65_535);

  return {
    slots,
    engine,
    counters,
    async apply(changes) {
      const rest = changes[Symbol.iterator]();
      for (;;) {
        const message = encodeChanges(rest, hashSeed, (_change, error) => fail(error));
        if (message === undefined) return;
        engine.apply(message);
      }
    },
    respond(query, transport = 'udp') {
      const length = engine.respond(query, query.length, out, transport === 'tcp');
      return typeof length === 'number' && length > 0 ? out.slice(0, length) : undefined;
    },
  };
}

function fail(error: Error): never {
  throw error;
}
