// PEM files of `forward[].tls` and `admin.tls`, loaded as they will be when they are used, so that problems are reported with
// their place.
import { resolve } from 'node:path';
import type { SecureContextOptions } from 'node:tls';
import { readRegularFileSync } from '../../native/regular-file.ts';
import { type Path, type Reporter, shown } from '../../reading/problem.ts';

const CERTIFICATE = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/;

export interface TlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly clientCa?: string;
}

/** Paths are relative to `folder`. */
export function checkTlsFiles(tls: TlsFiles, path: Path, folder: string, reporter: Reporter): void {
  const pem: { ca?: string; cert?: string; key?: string } = {};
  for (const key of ['ca', 'clientCa', 'cert', 'key'] as const) {
    const file = tls[key];
    if (file === undefined) continue;
    try {
      const text = readRegularFileSync(resolve(folder, file));
      const use = key === 'clientCa' ? 'ca' : key;
      const problem =
        key !== 'key' && !CERTIFICATE.test(text) ? 'it contains no certificate' : refusal({ [use]: text });
      if (problem === undefined) pem[use] = text;
      else reporter.problem([...path, key], `cannot use ${shown(file)}: ${problem}`);
    } catch (error) {
      reporter.problem([...path, key], `cannot read ${shown(file)}: ${(error as Error).message}`);
    }
  }
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    reporter.problem(path, '`cert` and `key` must be set together: one of them is missing');
  }
  if (pem.cert === undefined || pem.key === undefined) return;
  const mismatch = refusal(pem);
  if (mismatch !== undefined) {
    reporter.problem(
      [...path, 'key'],
      `\`key\` ${shown(tls.key!)} does not match \`cert\` ${shown(tls.cert!)}: ${mismatch}`,
    );
  }
}

/** OpenSSL's message without its error codes; undefined: accepted. */
function refusal(options: SecureContextOptions): string | undefined {
  try {
    process.getBuiltinModule('node:tls').createSecureContext(options);
    return undefined;
  } catch (error) {
    return (error as Error).message.replace(/^error:[0-9A-F]+:([^:]*):[^:]*:/, '$1: ');
  }
}
