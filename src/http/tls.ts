// HTTPS of the admin address: its files, reread when they change, so that renewed certificates take effect.
import type { Server } from 'node:https';
import type { SecureContextOptions } from 'node:tls';
import type { Clock } from '../clock.ts';
import type { AdminConfig } from '../config/config.ts';
import type { Logger } from '../log.ts';
import { readRegularFileSync } from '../native/regular-file.ts';

export type TlsFiles = NonNullable<AdminConfig['tls']>;

/** Throws if one cannot be read. */
export function readTls({ cert, key, clientCa }: TlsFiles): SecureContextOptions {
  return {
    minVersion: 'TLSv1.2',
    cert: readRegularFileSync(cert),
    key: readRegularFileSync(key),
    ...(clientCa !== undefined && { ca: readRegularFileSync(clientCa) }),
  };
}

const REREAD_MS = 10_000;

export interface RereadTls {
  now(): void;
  stop(): void;
}

/** Gives `server` the files whenever their content changes; what cannot be used is logged. */
export function rereadTls(server: Server, files: TlsFiles, clock: Clock, log: Logger): RereadTls {
  let timer = clock.setTimeout(look, REREAD_MS);
  let known = fingerprint(readTls(files));
  function look(): void {
    try {
      const options = readTls(files);
      const now = fingerprint(options);
      if (now !== known) {
        server.setSecureContext(options);
        log.info('certificates of the admin address reloaded', { cert: files.cert });
      }
      known = now;
    } catch (error) {
      log.warn('certificates of the admin address cannot be used, keeping the previous ones', {
        error: (error as Error).message,
      });
    }
    timer.cancel();
    timer = clock.setTimeout(look, REREAD_MS);
  }
  return { now: look, stop: () => timer.cancel() };
}

const fingerprint = ({ cert, key, ca }: SecureContextOptions): string => [cert, key, ca].map(String).join('\n');
