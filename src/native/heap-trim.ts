// glibc keeps what was freed: each thread that V8 compiles in ends with some megabytes that nobody uses (20 MB in all under a
// flood of misses). A fixed threshold makes free() give the end of each heap back; the default one grows with use.
import { createRequire } from 'node:module';

/** <malloc.h> */
const M_TRIM_THRESHOLD = -1;
const TRIM_BYTES = 128 * 1024;

/** For the whole process. Does nothing where there is no glibc or no koffi. */
export function trimFreedMemory(): void {
  try {
    const libc = createRequire(import.meta.url)('koffi').load(null);
    libc.func('int mallopt(int parameter, int value)')(M_TRIM_THRESHOLD, TRIM_BYTES);
  } catch {
    // musl has no such call, and keeps less.
  }
}
