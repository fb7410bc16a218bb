// What distributions configure, written from their documentation as plugins and options: the zones.yaml and the report that come
// out stand beside each file.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { migrate } from '../../src/migrate/migrate.ts';
import { repository } from '../support/command.ts';

const folder = join(repository, 'test/migrate/distributions');
const files = readdirSync(folder).filter((name) => name.endsWith('.corefile') || name.endsWith('.configmap.yaml'));

for (const file of files) {
  const name = file.split('.')[0];
  test(`the configuration of ${name} becomes a zones.yaml that check accepts, with a report on each line`, async () => {
    const out: string[] = [];
    const report: string[] = [];
    const exit = await migrate(
      {
        file: join(folder, file),
        text: readFileSync(join(folder, file), 'utf8'),
        output: undefined,
        clusterDomain: 'cluster.local',
        keepEnvironment: false,
        report: 'text',
      },
      { out: (line) => out.push(line), err: (line) => report.push(line), variable: () => undefined },
    );
    const short = (lines: readonly string[]) => `${lines.join('\n').replaceAll(`${folder}/`, '')}\n`;
    assert.equal(short(out), readFileSync(join(folder, `${name}.zones.yaml`), 'utf8'));
    assert.equal(`exit code ${exit}\n${short(report)}`, readFileSync(join(folder, `${name}.report`), 'utf8'));
  });
}

test('every listed distribution has a configuration', () => {
  const names = files.map((file) => file.split('.')[0]);
  for (const name of ['kubeadm', 'eks', 'aks', 'aks-localdns', 'k3s', 'rke2', 'coredns-chart', 'kops', 'k0s', 'talos'])
    assert.ok(names.includes(name), name);
  for (const name of ['openshift', 'kubespray', 'nodelocal', 'gardener', 'tke', 'minikube'])
    assert.ok(names.includes(name), name);
});
