// The entry point of a thread that loads one configuration: a large file takes seconds of a processor, which neither the
// control plane nor, on a machine with few processors, the data threads can spare.
import { getPriority, setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { loadConfig } from './load.ts';

/** Of this thread alone (Linux): others come first, and it still gets a third of a processor that one of them is busy on. */
const NICER = 5;

try {
  setPriority(Math.min(19, getPriority() + NICER));
} catch {
  // The system's scheduler decides.
}
void loadConfig(workerData as string, false).then((result) => parentPort?.postMessage(result));
