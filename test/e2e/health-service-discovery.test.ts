// test-health-service-discovery.sh as its users run it: with local processes, by the aws CLI and by curl; and in the
// cluster of the current kubectl context, where the test plays the kubelet.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { NAMESPACES } from '../support/cluster-objects.ts';
import { repository, temporaryFolder } from '../support/command.ts';
import { startControlPlane } from '../support/control-plane.ts';
import { startKubelet } from '../support/kubelet.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

interface Ran {
  readonly code: number | null;
  readonly output: string;
}

async function script(t: TestContext, args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Ran> {
  const env = { ...process.env, ...environment };
  const child = spawn(join(repository, 'test-health-service-discovery.sh'), args, {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGTERM')); // it stops what it started
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  const [code] = await once(child, 'close');
  return { code, output };
}

function assertVerified({ code, output }: Ran, address: string): void {
  assert.equal(code, 0, output);
  const dots = address.replaceAll('.', '\\.');
  const rows = output.split('\n').filter((line) => /^ {2}(\d+\.){3}\d+\t/.test(line));
  assert.equal(rows.length, 3, output);
  assert.equal(rows.filter((line) => new RegExp(`^ {2}${dots}\\d+\t- +\t${dots}\\d+$`).test(line)).length, 1, output);
  assert.match(output, / UNHEALTHY\n/);
}

test('locally, by the aws CLI', requirement('linux', 'aws-cli', 'dig'), async (t) => {
  assertVerified(await script(t, ['--api', 'aws']), '127.0.0.');
});

test('locally, by curl', requirement('linux', 'curl'), async (t) => {
  const ran = await script(t, ['--api', 'curl']);
  assertVerified(ran, '127.0.0.');
  assert.match(ran.output, /OUT web-1 \(127\.0\.0\.11\) UNHEALTHY/);
});

test('a wrong command line is an error', requirement('linux'), async (t) => {
  assert.equal((await script(t, ['--cluster'])).code, 2);
  assert.equal((await script(t, ['--tasks', '9'])).code, 2);
  const help = await script(t, ['--help']);
  assert.deepEqual([help.code, /--kubernetes/.test(help.output)], [0, true]);
});

test('in a cluster', requirement('controller-manager', 'kubectl', 'curl'), async (t) => {
  const plane = await startControlPlane({
    controllerManager: true,
    controllers: ['deployment-controller', 'replicaset-controller', 'garbage-collector-controller'],
  });
  t.after(() => plane.stop());
  const pods = join(plane.folder, 'pods');
  const addressOf = (index: number) => `10.1.0.${index}`;
  const kubelet = await startKubelet({ client: plane.client, folder: pods, addressOf, hurry: 2 });
  t.after(() => kubelet.stop());

  const folder = await temporaryFolder(t);
  await kubectlWithExec(join(folder, 'bin'), pods);
  const PATH = [join(folder, 'bin'), process.env.PATH].join(delimiter);
  const ran = await script(t, ['--kubernetes', '--api', 'curl'], { PATH, KUBECONFIG: plane.kubeconfig, HOME: folder });
  assertVerified(ran, '10.1.0.');

  // It leaves nothing behind.
  const names = async (): Promise<string[]> =>
    (await plane.client.get(NAMESPACES)).body.items.map((item: { metadata: { name: string } }) => item.metadata.name);
  await until(async () => (await names()).filter((name) => name.startsWith('healthdns-demo')), []);
});

/** The real kubectl, except that `exec` runs in the folder that the played kubelet has for the Pod. */
async function kubectlWithExec(folder: string, pods: string): Promise<void> {
  await mkdir(folder);
  const file = join(folder, 'kubectl');
  await writeFile(
    file,
    `#!/bin/sh
if [ "$1" = -n ] && [ "$3" = exec ]; then
  cd '${pods}'/"$4" && shift 5 && exec "$@"
fi
exec '${process.env.KUBEBUILDER_ASSETS}/kubectl' "$@"
`,
  );
  await chmod(file, 0o755);
}
