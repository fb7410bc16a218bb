// A push thread whose data a test states in the language of test/scenarios.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PushSettings } from '../../src/plane/settings.ts';
import type { ThreadedDataPlane } from '../../src/plane/threads.ts';
import { makeCertificate } from './certificates.ts';
import { type PushClient, pushClient } from './push-client.ts';
import { parseScenarios } from './scenario.ts';
import { createServed } from './served.ts';
import { startTestPlane } from './transports.ts';

export type PushTransport = 'plain TCP' | 'TLS';

export interface PushServerUnderTest {
  readonly plane: ThreadedDataPlane;
  readonly port: number;
  /** Trusted by its clients. */
  readonly certificate: string | undefined;
  connect(): Promise<PushClient>;
  /** Applies lines of the language, and resolves when every thread has the changes. */
  state(text: string): Promise<void>;
  /** The value of a metric of push, with these labels. */
  count(name: string, ...labels: readonly string[]): number;
  close(): Promise<void>;
}

export const PUSH_LIMITS = {
  ...{ sessions: 200, sessionsPerClient: 200, subscriptionsPerSession: 200, subscriptions: 10_000 },
} as const;

export async function startPushServer(
  transport: PushTransport,
  changed: Partial<PushSettings> = {},
): Promise<PushServerUnderTest> {
  const folder = transport === 'TLS' ? mkdtempSync(join(tmpdir(), 'healthdns-push-')) : undefined;
  const made = folder === undefined ? undefined : makeCertificate('IP:127.0.0.1,DNS:push.test');
  const tls = folder === undefined ? undefined : { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  if (tls !== undefined && made !== undefined) {
    writeFileSync(tls.cert, made.cert);
    writeFileSync(tls.key, made.key);
  }
  const listen = [{ address: '127.0.0.1', port: 0 }];
  const plane = await startTestPlane({ udp: 'plain', push: { ...PUSH_LIMITS, listen, tls, ...changed } });
  const served = createServed(plane);
  await plane.listen();
  const [{ port }] = plane.pushListening();
  return {
    ...{ plane, port, certificate: made?.cert },
    connect: () => pushClient(port, made && { ca: made.cert }),
    async state(text) {
      const lines = text.split('\n').map((line) => line.trim());
      for (const step of parseScenarios('state', ['scenario state', ...lines].join('\n'))[0].steps)
        if (step.kind !== 'ask') served.step(step);
      await served.flush();
    },
    count(name, ...labels) {
      const is = (other: { readonly name: string; readonly labels?: readonly string[] }) =>
        other.name === name && labels.every((label, i) => other.labels?.[i] === label);
      return Number([...plane.counters()].find(is)?.value);
    },
    async close() {
      await plane.close();
      if (folder !== undefined) rmSync(folder, { recursive: true });
    },
  };
}
