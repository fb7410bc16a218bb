// Plays a node's kubelet for tests: takes the Pods that the API server has, runs their containers' commands as local
// processes, each Pod in a folder of its own, really runs their exec probes, and patches the Pods' status. What it does
// not have: images, cgroups, namespaces, init containers, probes other than exec.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RestClient } from './rest-client.ts';

export interface Kubelet {
  /** The working directory of a Pod's containers. */
  folderOf(podName: string): string;
  stop(): Promise<void>;
}

export interface KubeletOptions {
  readonly client: RestClient;
  /** Pods' folders are made here. */
  readonly folder: string;
  readonly addressOf: (index: number) => string;
  /** false: containers are only said to run (their image is not here). */
  readonly runsContainers?: boolean;
  /** Seconds of probes pass so many times faster. */
  readonly hurry?: number;
}

interface Probe {
  readonly exec?: { readonly command: readonly string[] };
  readonly periodSeconds: number;
  readonly timeoutSeconds: number;
  readonly failureThreshold: number;
  readonly successThreshold: number;
}

interface ContainerSpec {
  readonly name: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly startupProbe?: Probe;
}

interface Container {
  readonly spec: ContainerSpec;
  process: ChildProcess | undefined;
  restarts: number;
  started: boolean;
  ready: boolean;
}

interface Pod {
  readonly path: string;
  readonly folder: string;
  readonly address: string;
  readonly containers: Container[];
  readonly ended: AbortController;
  reported: string;
}

const NODE = 'node-1';
const LOOK_EVERY_MS = 100;

export async function startKubelet(options: KubeletOptions): Promise<Kubelet> {
  const { client, folder, addressOf, runsContainers = true, hurry = 1 } = options;
  const pods = new Map<string, Pod>();
  const tasks = new Set<Promise<void>>();
  let created = 0;
  let stopping = false;
  await client.create('/api/v1/nodes', { metadata: { name: NODE } });

  const background = (task: Promise<void>) => {
    tasks.add(task);
    void task.finally(() => tasks.delete(task));
  };

  async function start(path: string, name: string, uid: string, specs: readonly ContainerSpec[]): Promise<void> {
    created += 1;
    const own = join(folder, name);
    await mkdir(own, { recursive: true });
    // Its probes would go on for ever, and the process with them.
    if (stopping) return;
    const containers = specs.map((spec) => ({ spec, process: undefined, restarts: 0, started: false, ready: false }));
    const pod: Pod = {
      ...{ path, folder: own, address: addressOf(created), containers },
      ended: new AbortController(),
      reported: '',
    };
    pods.set(uid, pod);
    for (const container of containers) run(pod, container);
  }

  function run(pod: Pod, container: Container): void {
    container.started = container.spec.startupProbe === undefined;
    container.ready = container.started && container.spec.readinessProbe === undefined;
    if (!runsContainers) {
      container.ready = true;
      return;
    }
    const [program, ...words] = [...(container.spec.command ?? []), ...(container.spec.args ?? [])];
    const env = {
      PATH: process.env.PATH,
      ...Object.fromEntries((container.spec.env ?? []).map((e) => [e.name, e.value])),
    };
    const child = spawn(program, words, { cwd: pod.folder, env, stdio: 'ignore', detached: true });
    container.process = child;
    child.once('exit', () => {
      if (container.process !== child || pod.ended.signal.aborted) return;
      container.restarts += 1;
      run(pod, container);
    });
    if (container.restarts > 0) return; // its probes go on
    const { startupProbe, readinessProbe, livenessProbe } = container.spec;
    if (startupProbe)
      probing(
        pod,
        startupProbe,
        () => !container.started,
        (passes) => {
          if (passes) container.started = true;
          else kill(container);
        },
      );
    if (readinessProbe)
      probing(
        pod,
        readinessProbe,
        () => container.started,
        (passes) => {
          container.ready = passes;
        },
      );
    if (livenessProbe)
      probing(
        pod,
        livenessProbe,
        () => container.started,
        (passes) => {
          if (!passes) kill(container);
        },
      );
  }

  /** `verdict` is called when so many successes or failures in a row have been seen. */
  function probing(pod: Pod, probe: Probe, isDue: () => boolean, verdict: (passes: boolean) => void): void {
    const { signal } = pod.ended;
    background(
      (async () => {
        let inARow = 0;
        let last: boolean | undefined;
        while (!signal.aborted) {
          await sleep((probe.periodSeconds * 1000) / hurry, undefined, { signal }).catch(() => undefined);
          if (signal.aborted || !isDue()) continue;
          const passes = await passed(pod, probe);
          inARow = passes === last ? inARow + 1 : 1;
          last = passes;
          if (inARow < (passes ? probe.successThreshold : probe.failureThreshold)) continue;
          inARow = 0;
          verdict(passes);
        }
      })(),
    );
  }

  function passed(pod: Pod, probe: Probe): Promise<boolean> {
    const [program, ...words] = probe.exec!.command;
    const options = { cwd: pod.folder, timeout: probe.timeoutSeconds * 1000, killSignal: 'SIGKILL' as const };
    return new Promise((resolve) => {
      execFile(program, words, options, (error) => resolve(error === null));
    });
  }

  async function report(pod: Pod): Promise<void> {
    const ready = pod.containers.every((container) => container.ready);
    const status = {
      phase: 'Running',
      podIP: pod.address,
      podIPs: [{ ip: pod.address }],
      conditions: ['Ready', 'ContainersReady'].map((type) => ({ type, status: ready ? 'True' : 'False' })),
      containerStatuses: pod.containers.map(({ spec, started, ready, restarts }) => ({
        ...{ name: spec.name, image: 'image', imageID: 'image', restartCount: restarts },
        ...{ started, ready, state: { running: { startedAt: '2026-01-01T00:00:00Z' } } },
      })),
    };
    const text = JSON.stringify(status);
    if (text === pod.reported) return;
    await client.patch(`${pod.path}/status`, { status });
    pod.reported = text;
  }

  function end(uid: string, pod: Pod): void {
    pod.ended.abort();
    for (const container of pod.containers) kill(container);
    pods.delete(uid);
  }

  async function look(): Promise<void> {
    const { body } = await client.get('/api/v1/pods');
    for (const object of body.items) await attend(object).catch(() => undefined); // a conflict: looked at again
    const present = new Set(body.items.map((item: { metadata: { uid: string } }) => item.metadata.uid));
    for (const [uid, pod] of pods) if (!present.has(uid)) end(uid, pod);
  }

  // biome-ignore lint/suspicious/noExplicitAny: a Pod as the API server has it
  async function attend({ metadata: { name, namespace, uid, deletionTimestamp }, spec }: any): Promise<void> {
    const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
    const pod = pods.get(uid);
    if (deletionTimestamp !== undefined) {
      if (pod) end(uid, pod);
      await client.delete(path);
    } else if (spec.nodeName === undefined) {
      await client.create(`${path}/binding`, { metadata: { name }, target: { kind: 'Node', name: NODE } });
    } else if (pod === undefined) {
      await start(path, name, uid, spec.containers);
    } else {
      await report(pod);
    }
  }

  background(
    (async () => {
      while (!stopping) {
        await look().catch(() => undefined); // the API server is away: looked at again
        await sleep(LOOK_EVERY_MS);
      }
    })(),
  );

  return {
    folderOf: (podName) => join(folder, podName),
    async stop() {
      stopping = true;
      for (const [uid, pod] of [...pods]) end(uid, pod);
      await Promise.all(tasks);
    },
  };
}

/** With its children: it leads a process group of its own. */
function kill({ process: child }: Container): void {
  if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  process.kill(-child.pid, 'SIGKILL');
}
