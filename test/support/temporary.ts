import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new folder, for whoever removes it (before() and after() have no test to hang it on). */
export const temporary = (): Promise<string> => mkdtemp(join(tmpdir(), 'healthdns-'));
