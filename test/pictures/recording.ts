// npm run recording: a pod that dies leaves dig's answer, recorded against a real API server as docs/pictures/recording.svg.
// What is typed has the address of the test's server left out.
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { endpoint, PODS, pod, podStatus, SERVICES, SLICES, service, slice } from '../support/cluster-objects.ts';
import { launcher, repository, serving } from '../support/command.ts';
import { startControlPlane } from '../support/control-plane.ts';
import { freePort } from '../support/free-ports.ts';
import { until } from '../support/until.ts';
import { type Line, terminalSvg } from './terminal-svg.ts';

const run = promisify(execFile);
const NAME = 'web.default.svc.cluster.local';
const PAUSE_MS = 1_400;

const plane = await startControlPlane();
const [dns, http] = [await freePort(), await freePort()];
const file = join(plane.folder, 'zones.yaml');
await writeFile(
  file,
  `zones: [{ name: cluster.local, kubernetes: { kubeconfig: ${plane.kubeconfig}, context: admin } }]\n`,
);
const server = serving([file, '--listen', `127.0.0.1:${dns}`, '--http', `127.0.0.1:${http}`]);
try {
  await setUp();
  const lines: Line[] = [];
  let atMs = 0;
  const show = (kind: Line['kind'], text: string, afterMs = 0) => {
    atMs += afterMs;
    for (const line of text.trimEnd().split('\n')) lines.push({ atMs, kind, text: line });
  };

  show('typed', `dig ${NAME} +short`, 400);
  show('shown', await dig(), 500);
  show('event', 'the kubelet reports that web-1 is not ready', PAUSE_MS);
  const startedMs = performance.now();
  await plane.client.patch(`${PODS}/web-1/status`, {
    status: {
      ...podStatus('10.4.0.8', false).status,
      conditions: [
        { type: 'Ready', status: 'False', lastTransitionTime: new Date().toISOString().replace(/\.\d+/, '') },
      ],
      containerStatuses: [
        {
          ...{ name: 'app', image: 'app', imageID: 'app', ready: false, restartCount: 3 },
          state: { waiting: { reason: 'CrashLoopBackOff' } },
        },
      ],
    },
  });
  await until(async () => (await dig()).includes('10.4.0.8'), false);
  const takenMs = Math.ceil(performance.now() - startedMs);
  show('typed', `dig ${NAME} +short`, PAUSE_MS);
  show('shown', await dig(), 500);
  show(
    'event',
    `left out ${takenMs} ms after the report was sent; its EndpointSlice still lists it as ready`,
    PAUSE_MS,
  );
  show('typed', `healthdns explain ${NAME}`, PAUSE_MS);
  const { stdout } = await run(process.execPath, [launcher, 'explain', NAME, '--http', `http://127.0.0.1:${http}`]);
  const [explained] = stdout.split(/^ {2}in /m); // the others are answered
  show('shown', `${explained}  …`, 600);
  await writeFile(
    join(repository, 'docs/pictures/recording.svg'),
    terminalSvg(lines, 'A pod that dies leaves the answer'),
  );
} finally {
  await server.stop();
  await plane.stop();
}

async function setUp(): Promise<void> {
  const { client } = plane;
  await client.create(SERVICES, service('web'));
  for (const i of [0, 1, 2]) {
    await client.create(PODS, pod(`web-${i}`, 'web'));
    await client.patch(`${PODS}/web-${i}/status`, podStatus(`10.4.0.${7 + i}`, true));
  }
  const endpoints = [0, 1, 2].map((i) => endpoint(`10.4.0.${7 + i}`, `web-${i}`));
  await client.create(SLICES, slice('web-abcde', 'web', endpoints));
  await until(async () => (await dig()).trim().split('\n').length, 3);
}

async function dig(): Promise<string> {
  const { stdout } = await run('dig', ['@127.0.0.1', '-p', String(dns), NAME, '+short']);
  return `${stdout.trim().split('\n').sort().join('\n')}\n`;
}
