// Where a cluster is and who we are there, by client-node's KubeConfig.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { KubeConfig, loadYaml } from '@kubernetes/client-node';
import type { ClusterAccess } from '../../../config/config.ts';
import { kubeconfigProblem } from '../../../config/sections/kubeconfig.ts';

const DEFAULT = 'the default kubeconfig';

/** The kubeconfig, read again when it changed, so that rotated tokens and certificates are taken up. */
export function createCredentials(config: ClusterAccess): { current(): KubeConfig; forget(): void } {
  let loaded: { readonly kubeConfig: KubeConfig; readonly text: string } | undefined;
  return {
    current() {
      const text = config.kubeconfig === undefined ? '' : readFileSync(config.kubeconfig, 'utf8');
      // What an exec plugin or an identity provider gave is kept with its KubeConfig until it expires. All else (token
      // files, in-cluster tokens, certificates) is read from disk on loading, which costs a millisecond a connection.
      if (loaded === undefined || loaded.text !== text || !keepsCredentials(loaded.kubeConfig)) {
        loaded = { kubeConfig: loadKubeConfig(config), text };
      }
      return loaded.kubeConfig;
    },
    forget() {
      loaded = undefined;
    },
  };
}

/** Throws an Error that names the file and what is wrong with it. */
export function loadKubeConfig(config: ClusterAccess): KubeConfig {
  const kubeConfig = new KubeConfig();
  if (config.kubeconfig !== undefined) loadFile(kubeConfig, config.kubeconfig, config.context);
  else if (config.context === undefined && process.env.KUBERNETES_SERVICE_HOST !== undefined)
    kubeConfig.loadFromCluster();
  else loadDefault(kubeConfig);
  if (config.context !== undefined) kubeConfig.setCurrentContext(config.context);

  const file = config.kubeconfig ?? DEFAULT;
  if (kubeConfig.getContextObject(kubeConfig.getCurrentContext()) === null) {
    const known = kubeConfig.getContexts().map((context) => context.name);
    const wanted = config.context ?? kubeConfig.getCurrentContext();
    throw new Error(`${file} has no context "${wanted}" (it has ${known.length === 0 ? 'none' : known.join(', ')})`);
  }
  const cluster = kubeConfig.getCurrentCluster();
  if (cluster === null)
    throw new Error(`${file}: context "${kubeConfig.getCurrentContext()}" names a cluster that is not there`);
  // client-node refuses plain http (`kubectl proxy`) unless told to skip a verification that plain http does not have.
  if (cluster.server.startsWith('http:')) Object.assign(cluster, { skipTLSVerify: true });
  return kubeConfig;
}

function keepsCredentials(kubeConfig: KubeConfig): boolean {
  const user = kubeConfig.getCurrentUser();
  const provider = user?.authProvider?.name;
  return Boolean(user?.exec) || (provider !== undefined && provider !== 'tokenFile');
}

/** A kubeconfig file with its `tokenFile`s, which client-node 1.4.0 looks for under another name. */
function loadFile(kubeConfig: KubeConfig, file: string, context: string | undefined): void {
  const text = readFileSync(file, 'utf8');
  const problem = kubeconfigProblem(text, context);
  if (problem !== undefined) throw new Error(`${file}${problem.message}`);
  // As kubectl does, entries that are not used may be incomplete.
  naming(file, () => kubeConfig.loadFromString(text, { onInvalidEntry: 'filter' }));
  kubeConfig.makePathsAbsolute(dirname(file));
  const { users } = loadYaml<{ users?: { name?: string; user?: { tokenFile?: string } | null }[] | null }>(text);
  for (const { name, user } of users ?? []) {
    const known = name === undefined ? null : kubeConfig.getUser(name);
    if (known === null || typeof user?.tokenFile !== 'string') continue;
    const provider = { name: 'tokenFile', config: { tokenFile: resolve(dirname(file), user.tokenFile) } };
    Object.assign(known, { authProvider: provider, token: undefined });
  }
}

/** Of $KUBECONFIG, ~/.kube/config or the pod. */
const loadDefault = (kubeConfig: KubeConfig): void => naming(DEFAULT, () => kubeConfig.loadFromDefault());

/** Errors of client-node and of its YAML do not say which file they are about; behind their first line is its text. */
function naming(file: string, load: () => void): void {
  try {
    load();
  } catch (error) {
    throw new Error(`${file} cannot be used: ${(error as Error).message.split('\n')[0]}`);
  }
}
