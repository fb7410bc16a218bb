// Where a cluster is and the credentials for it. client-node's KubeConfig applies them: exec plugins, identity providers,
// token files, in-cluster tokens and certificates.
import { dirname, resolve } from 'node:path';
import { type Cluster, KubeConfig, type User } from '@kubernetes/client-node';
import type { ClusterAccess } from '../../../config/config.ts';
import { type Kubeconfig, readKubeconfig } from '../../../config/sections/kubeconfig.ts';
import { readRegularFileSync } from '../../../native/regular-file.ts';

const DEFAULT = 'the default kubeconfig';

/** The kubeconfig, reread when it changes, so that rotated tokens and certificates are picked up. */
export function createCredentials(config: ClusterAccess): { current(): KubeConfig; forget(): void } {
  let loaded: { readonly kubeConfig: KubeConfig; readonly text: string } | undefined;
  return {
    current() {
      const text = textOf(config);
      // Credentials of an exec plugin or an identity provider are kept with its KubeConfig until they expire. Everything else
      // (token files, in-cluster tokens, certificates) is read from disk on loading, which costs a millisecond a request.
      if (loaded === undefined || loaded.text !== text || !keepsCredentials(loaded.kubeConfig)) {
        loaded = { kubeConfig: loadKubeConfig(config, text), text };
      }
      return loaded.kubeConfig;
    },
    forget() {
      loaded = undefined;
    },
  };
}

const textOf = ({ kubeconfig }: ClusterAccess): string =>
  kubeconfig === undefined ? '' : readRegularFileSync(kubeconfig);

/** Without a configured file the pod's own or the default kubeconfig. Throws an Error that names the file and the problem. */
export function loadKubeConfig(config: ClusterAccess, text = textOf(config)): KubeConfig {
  if (config.kubeconfig !== undefined) return loadText(text, config.kubeconfig, config.context);
  const kubeConfig = new KubeConfig();
  if (config.context === undefined && process.env.KUBERNETES_SERVICE_HOST !== undefined) kubeConfig.loadFromCluster();
  else loadDefault(kubeConfig);
  if (config.context !== undefined) kubeConfig.setCurrentContext(config.context);
  requireContext(kubeConfig, config.context);
  return allowHttp(kubeConfig);
}

function loadText(text: string, file: string, context: string | undefined): KubeConfig {
  const found = readKubeconfig(text, context);
  if ('message' in found) throw new Error(`${file}${found.message}`);
  const { context: name } = found;
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromOptions({
    clusters: [clusterOf(found, file)],
    users: [userOf(found, file)],
    contexts: [{ name, cluster: name, user: name }],
    currentContext: name,
  });
  return allowHttp(kubeConfig);
}

/** https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/; files are relative to the kubeconfig's folder. */
function clusterOf({ context, cluster }: Kubeconfig, kubeconfig: string): Cluster {
  return {
    name: context,
    server: text(cluster.server)!.replace(/\/$/, ''),
    caData: text(cluster['certificate-authority-data']),
    caFile: file(cluster['certificate-authority'], kubeconfig),
    skipTLSVerify: cluster['insecure-skip-tls-verify'] === true,
    tlsServerName: text(cluster['tls-server-name']),
    proxyUrl: text(cluster['proxy-url']),
  };
}

function userOf({ context, user }: Kubeconfig, kubeconfig: string): User {
  const tokenFile = file(user.tokenFile, kubeconfig);
  return {
    name: context,
    certData: text(user['client-certificate-data']),
    certFile: file(user['client-certificate'], kubeconfig),
    keyData: text(user['client-key-data']),
    keyFile: file(user['client-key'], kubeconfig),
    // As in client-go, a token file overrides a token.
    token: tokenFile === undefined ? text(user.token) : undefined,
    authProvider: tokenFile === undefined ? user['auth-provider'] : { name: 'tokenFile', config: { tokenFile } },
    exec: user.exec,
    username: text(user.username),
    password: text(user.password),
    impersonateUser: text(user.as),
  };
}

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

const file = (value: unknown, kubeconfig: string): string | undefined =>
  text(value) === undefined ? undefined : resolve(dirname(kubeconfig), value as string);

/** Of $KUBECONFIG, ~/.kube/config or the pod. client-node's errors do not name the file, and contain its text. */
function loadDefault(kubeConfig: KubeConfig): void {
  try {
    kubeConfig.loadFromDefault();
  } catch (error) {
    throw new Error(`${DEFAULT} cannot be used: ${(error as Error).message.split('\n')[0]}`);
  }
}

function requireContext(kubeConfig: KubeConfig, wanted: string | undefined): void {
  const current = kubeConfig.getCurrentContext();
  if (kubeConfig.getContextObject(current) === null) {
    const known = kubeConfig.getContexts().map((context) => context.name);
    const have = known.length === 0 ? 'none' : known.join(', ');
    throw new Error(`${DEFAULT} has no context "${wanted ?? current}" (it has ${have})`);
  }
  if (kubeConfig.getCurrentCluster() === null)
    throw new Error(`${DEFAULT}: context "${current}" refers to an undefined cluster`);
}

/** client-node refuses plain http (`kubectl proxy`) unless it skips a verification that plain http does not have. */
function allowHttp(kubeConfig: KubeConfig): KubeConfig {
  const cluster = kubeConfig.getCurrentCluster()!;
  if (cluster.server.startsWith('http:')) Object.assign(cluster, { skipTLSVerify: true });
  return kubeConfig;
}

function keepsCredentials(kubeConfig: KubeConfig): boolean {
  const user = kubeConfig.getCurrentUser();
  const provider = user?.authProvider?.name;
  return Boolean(user?.exec) || (provider !== undefined && provider !== 'tokenFile');
}
