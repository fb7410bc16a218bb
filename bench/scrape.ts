// What a scrape costs the control plane at 10,000 services with 10 instances each, while 350 verdicts a second change: once a
// second, as Prometheus does it at its most frequent. In this process, so that only the rendering is measured.
import { systemClock } from '../src/clock.ts';
import { parseConfig } from '../src/config/loading/load.ts';
import { silentLogger } from '../src/log.ts';
import { startHealthdns } from '../src/main.ts';
import { createMetrics } from '../src/metrics.ts';
import { median } from './measure.ts';

const SERVICES = 10_000;
const INSTANCES = 10;
const FLIPS_PER_SECOND = 350;
const ZONE = 'scrape.test';

export interface Scrapes {
  readonly firstMs: number;
  readonly medianMs: number;
  readonly longestMs: number;
  readonly bytes: number;
}

export async function measureScrapes(ports: { dns: number; http: number }, count: number): Promise<Scrapes> {
  const loaded = await parseConfig(JSON.stringify(configuration(ports)), '/etc/healthdns/scrape.yaml');
  if (!loaded.ok) throw new Error('the configuration is invalid');
  const { config } = loaded;
  const metrics = createMetrics();
  const running = await startHealthdns(config, {
    ...{ log: silentLogger, metrics, clock: systemClock, random: Math.random },
  });
  try {
    const stop = flapping(ports.http);
    const times: number[] = [];
    let bytes = 0;
    for (let i = 0; i <= count; i++) {
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      const startMs = performance.now();
      bytes = metrics.render('openmetrics').length;
      times.push(performance.now() - startMs);
    }
    await stop();
    const [firstMs, ...later] = times;
    return { firstMs: firstMs!, medianMs: median(later), longestMs: Math.max(...later), bytes };
  } finally {
    await running.stop();
  }
}

function configuration({ dns, http }: { dns: number; http: number }): object {
  const service = (i: number) => ({
    name: `s${i}`,
    externalHealth: { sources: [{ name: 'bench' }] },
    instances: Array.from({ length: INSTANCES }, (_, j) => ({ id: `i${j}`, ipv4: `10.${i >> 8}.${i & 255}.${j}` })),
  });
  return {
    listen: [`127.0.0.1:${dns}`],
    http: `127.0.0.1:${http}`,
    metrics: 'coredns',
    zones: [{ name: ZONE, services: Array.from({ length: SERVICES }, (_, i) => service(i)) }],
  };
}

/** An instance of each service in turn, until it is stopped. */
function flapping(http: number): () => Promise<void> {
  let isOver = false;
  const done = (async () => {
    for (let i = 0; !isOver; i++) {
      const status = Math.floor(i / SERVICES) % 2 === 0 ? 'UNHEALTHY' : 'HEALTHY';
      const body = {
        zone: ZONE,
        service: `s${i % SERVICES}`,
        instance: 'i0',
        source: 'bench',
        status,
        reason: 'pushed',
      };
      await fetch(`http://127.0.0.1:${http}/external-health`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }).then((response) => response.arrayBuffer());
      await new Promise((resolve) => setTimeout(resolve, 1_000 / FLIPS_PER_SECOND));
    }
  })();
  return () => {
    isOver = true;
    return done;
  };
}
