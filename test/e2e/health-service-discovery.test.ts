// test-health-service-discovery.sh in the cluster of the current kubectl context, where the test plays the kubelet.
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { NAMESPACES } from '../support/cluster-objects.ts';
import { temporaryFolder } from '../support/command.ts';
import { startControlPlane } from '../support/control-plane.ts';
import { assertVerified, script } from '../support/discovery-script.ts';
import { startKubelet } from '../support/kubelet.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

for (const [api, client] of [
  ['curl', 'curl'],
  ['aws', 'aws-cli'],
] as const)
  test(
    `the service discovery demo works in a cluster, through ${api}`,
    requirement('controller-manager', 'kubectl', client),
    async (t) => {
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
      const ran = await script(t, ['--kubernetes', '--api', api], { PATH, KUBECONFIG: plane.kubeconfig, HOME: folder });
      assertVerified(ran, '10.1.0.', 3);

      // It leaves nothing behind.
      const names = async (): Promise<string[]> =>
        (await plane.client.get(NAMESPACES)).body.items.map(
          (item: { metadata: { name: string } }) => item.metadata.name,
        );
      await until(async () => (await names()).filter((name) => name.startsWith('healthdns-demo')), []);
    },
  );

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
