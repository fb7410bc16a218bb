// How V8 compiles and collects in this process. While the control plane reads a large cluster, it must do both with less; once
// that is read, the answer path and the data threads get what makes them fast.
import { setFlagsFromString } from 'node:v8';

/**
 * For the whole process from now on: while the control plane reads a large cluster, compiling takes a third of its CPU time,
 * and smaller functions save a sixth of that.
 */
export function lowerInliningLimits(): void {
  setFlagsFromString('--max-inlined-bytecode-size-cumulative=300');
}

/**
 * For the whole process from now on. The answer path consists of many small functions, which take a tenth to a fifth less time when
 * inlined (bench/RESULTS.md, "What helps": raised inlining limits). A query costs the same memory either way.
 */
export function raiseInliningLimits(): void {
  setFlagsFromString('--max-inlined-bytecode-size-cumulative=4000');
  setFlagsFromString('--max-inlined-bytecode-size=1500');
}

/**
 * For the whole process from now on: until `growYoungGeneration`, the young generation stays at the 2 MiB that it has by now, in
 * place of 16 twice. While the control plane reads a cluster, nine tenths of the heap become garbage (bench/RESULTS.md, "Memory
 * per instance"). V8 takes it back when a thread starts. Not earlier than the modules of Node.js have been loaded: code of theirs
 * that was compiled ahead is used only as long as no flag of V8 has changed.
 */
export function keepYoungGenerationSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/** For the whole process from now on: a heap grows to twice what is alive; V8's own choice is up to four times. */
export function collectEarly(): void {
  setFlagsFromString('--heap-growing-percent=100');
  keepYoungGenerationSmall();
}

/** Data threads need it: with 1,000 outstanding queries, a small one doubles the cost of a cache miss. */
export function growYoungGeneration(): void {
  setFlagsFromString('--semi-space-growth-factor=2');
}
