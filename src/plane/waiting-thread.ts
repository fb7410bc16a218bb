// A data thread loads its code while the configuration is still being read, and waits for its settings.
import { type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import type { ThreadData } from './thread-messages.ts';

export interface WaitingThread {
  readonly worker: Worker;
  /** It sleeps as long as this is 0. */
  readonly hasData: Int32Array;
}

/** `url`: the compiled thread/thread.ts. */
export function startWaitingThread(url: URL, name: string): WaitingThread {
  const hasData = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(url, { workerData: hasData, name, resourceLimits: { maxYoungGenerationSizeMb: 24 } });
  return { worker, hasData };
}

/** It has ended while it waited. */
export const hasEnded = ({ worker }: WaitingThread): boolean => worker.threadId < 0;

export function wakeThread({ worker, hasData }: WaitingThread, data: ThreadData): Worker {
  worker.postMessage(data);
  Atomics.store(hasData, 0, 1);
  Atomics.notify(hasData, 0);
  return worker;
}

/** In the thread: sleeps until there are settings. */
export function awaitData(hasData: Int32Array, port: MessagePort): ThreadData {
  Atomics.wait(hasData, 0, 0);
  return receiveMessageOnPort(port)?.message as ThreadData;
}
