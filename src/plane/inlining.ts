// How V8 compiles the answer path: many small functions, which compiled into one another need a tenth to a fifth less time
// (bench/RESULTS.md). A query costs the same memory either way.
import { setFlagsFromString } from 'node:v8';

/**
 * From now on, for the whole process: while a control plane reads a large cluster, compiling is a third of its processor time,
 * and a sixth of that is saved by making less of each function.
 */
export function lowerInliningLimits(): void {
  setFlagsFromString('--max-inlined-bytecode-size-cumulative=300');
}

/** From now on, for the whole process. */
export function raiseInliningLimits(): void {
  setFlagsFromString('--max-inlined-bytecode-size-cumulative=4000');
  setFlagsFromString('--max-inlined-bytecode-size=1500');
}
