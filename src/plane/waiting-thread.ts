// A data thread loads its code while the configuration is still being read, and waits for its settings.
import { type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import type { ThreadData } from './thread-messages.ts';

export interface WaitingThread {
  readonly worker: Worker;
  readonly state: Int32Array;
}

/** Places in `state`, all 0 at first. The thread sleeps as long as there are no settings. */
const STATE = { HAS_DATA: 0, IS_LOADED: 1 };
/** A thread has loaded its native calls within this time. */
const LOADING_MS = 2_000;

/** `url`: the compiled thread/thread.ts. */
export function startWaitingThread(url: URL, name: string): WaitingThread {
  const state = new Int32Array(new SharedArrayBuffer(4 * Object.keys(STATE).length));
  const worker = new Worker(url, { workerData: state, name, resourceLimits: { maxYoungGenerationSizeMb: 24 } });
  return { worker, state };
}

/** It has ended while it waited. */
export const hasEnded = ({ worker }: WaitingThread): boolean => worker.threadId < 0;

export function wakeThread({ worker, state }: WaitingThread, data: ThreadData): Worker {
  worker.postMessage(data);
  Atomics.store(state, STATE.HAS_DATA, 1);
  Atomics.notify(state, STATE.HAS_DATA);
  return worker;
}

/**
 * Resolves when the thread has loaded its native calls. A process that ends meanwhile aborts: the library throws in a terminating
 * thread.
 */
export async function untilLoaded({ state }: WaitingThread): Promise<void> {
  await Atomics.waitAsync(state, STATE.IS_LOADED, 0, LOADING_MS).value;
}

/** In the thread: everything that needs no settings is loaded. Sleeps until there are settings. */
export function awaitData(state: Int32Array, port: MessagePort): ThreadData {
  Atomics.store(state, STATE.IS_LOADED, 1);
  Atomics.notify(state, STATE.IS_LOADED);
  Atomics.wait(state, STATE.HAS_DATA, 0);
  return receiveMessageOnPort(port)?.message as ThreadData;
}
