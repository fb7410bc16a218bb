// How much garbage V8 lets grow before it collects.
import { setFlagsFromString } from 'node:v8';

/**
 * For the whole process from now on: a heap grows to twice what is alive; V8's own choice is up to four times. Until
 * `growYoungGeneration`, the young generation stays at the 2 MiB that it has by now, in place of 16 twice. While the control
 * plane reads a cluster, nine tenths of the heap become garbage (bench/RESULTS.md, "Memory per instance").
 */
export function collectEarly(): void {
  setFlagsFromString('--heap-growing-percent=100');
  setFlagsFromString('--semi-space-growth-factor=1');
}

/** Data threads need it: with 1,000 outstanding queries, a small one doubles the cost of a cache miss. */
export function growYoungGeneration(): void {
  setFlagsFromString('--semi-space-growth-factor=2');
}
