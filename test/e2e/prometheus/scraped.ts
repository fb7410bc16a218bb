// A real Prometheus that scrapes servers every second.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts } from '../../support/free-ports.ts';
import { until } from '../../support/until.ts';

export interface Prometheus {
  /** The instant values of an expression, now or at a time in seconds. */
  query(expression: string, atSeconds?: number): Promise<readonly Series[]>;
  stop(): Promise<void>;
}

export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

/** `targets`: the address of each job. */
export async function startPrometheus(folder: string, targets: Readonly<Record<string, string>>): Promise<Prometheus> {
  const [port] = await freePorts(1);
  const file = join(folder, 'prometheus.yml');
  const jobs = Object.entries(targets).map(([job, target]) => ({
    job_name: job,
    static_configs: [{ targets: [target] }],
  }));
  const config = { global: { scrape_interval: '1s', scrape_timeout: '1s' }, scrape_configs: jobs };
  await writeFile(file, JSON.stringify(config));
  const child = spawn(
    'prometheus',
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(folder, 'prometheus')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=warn',
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const ask = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).json() as Promise<Answer>;
  const query = async (expression: string, atSeconds?: number): Promise<Series[]> => {
    const time = atSeconds === undefined ? '' : `&time=${atSeconds}`;
    const { status, data, error } = await ask(`/api/v1/query?query=${encodeURIComponent(expression)}${time}`);
    if (status !== 'success') throw new Error(`${expression}: ${error}`);
    return data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  };
  await until(async () => (await query('up == 1').catch(() => [])).length, jobs.length);
  return { query, stop: () => stop(child) };
}

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data: { readonly result: readonly { metric: Record<string, string>; value: [number, string] }[] };
}

export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await once(child, 'exit');
  clearTimeout(timer);
}
