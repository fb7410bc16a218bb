// How V8 compiles the answer path: many small functions, which compiled into one another need a tenth to a fifth less time
// (bench/RESULTS.md). A query costs the same memory either way.
import { setFlagsFromString } from 'node:v8';

/**
 * From now on. The limits are those of the whole process: while a control plane reads a large cluster they cost it a fifth
 * of its processor time, spent on compiling.
 */
export function raiseInliningLimits(): void {
  setFlagsFromString('--max-inlined-bytecode-size-cumulative=4000');
  setFlagsFromString('--max-inlined-bytecode-size=1500');
}
