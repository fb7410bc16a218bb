// How V8 compiles the answer path: many small functions, which take a tenth to a fifth less time when inlined (bench/RESULTS.md,
// "What helps": raised inlining limits). A query costs the same memory either way.
import { setFlagsFromString } from 'node:v8';

/**
 * For the whole process from now on: while the control plane reads a large cluster, compiling takes a third of its CPU time,
 * and smaller functions save a sixth of that.
 */
export function lowerInliningLimits(): void {
  setFlagsFromString('--max-inlined-bytecode-size-cumulative=300');
}

/** For the whole process from now on. */
export function raiseInliningLimits(): void {
  setFlagsFromString('--max-inlined-bytecode-size-cumulative=4000');
  setFlagsFromString('--max-inlined-bytecode-size=1500');
}
