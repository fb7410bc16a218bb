// What some tests need beside Node. Without it a test is skipped with a line that says what is missing and how to get
// it; with HEALTHDNS_REQUIRE_ALL=1 (continuous integration) the absence is an error, so that nothing is skipped unseen.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { delimiter, join } from 'node:path';
import { chromiumPath } from './chromium-path.ts';

interface Requirement {
  readonly present: () => boolean;
  /** What to do to have it. */
  readonly remedy: string;
  /** True where a machine may lack it for good (a kernel feature): skipping is right even in CI. */
  readonly mayBeAbsent?: boolean;
}

const onPath = (command: string) => () =>
  (process.env.PATH ?? '').split(delimiter).some((folder) => folder !== '' && existsSync(join(folder, command)));

const inAssets = (...commands: string[]) => {
  const folder = process.env.KUBEBUILDER_ASSETS;
  return folder !== undefined && commands.every((command) => existsSync(join(folder, command)));
};

const assets = 'set KUBEBUILDER_ASSETS to a folder with';

const requirements = {
  dig: { present: onPath('dig'), remedy: 'apt-get install bind9-dnsutils' },
  kdig: { present: onPath('kdig'), remedy: 'apt-get install knot-dnsutils' },
  drill: { present: onPath('drill'), remedy: 'apt-get install ldnsutils' },
  openssl: { present: onPath('openssl'), remedy: 'apt-get install openssl' },
  curl: { present: onPath('curl'), remedy: 'apt-get install curl' },
  ip: { present: () => onPath('ip')() || existsSync('/usr/sbin/ip'), remedy: 'apt-get install iproute2' },
  tshark: { present: onPath('tshark'), remedy: 'apt-get install tshark' },
  dnstap: {
    present: () => onPath('fstrm_capture')() && onPath('dnstap-ldns')(),
    remedy: 'apt-get install fstrm-bin dnstap-ldns',
  },
  chromium: {
    present: () => chromiumPath() !== undefined,
    remedy: 'apt-get install chromium, or set CHROMIUM to its path',
  },
  zsh: { present: onPath('zsh'), remedy: 'apt-get install zsh' },
  fish: { present: onPath('fish'), remedy: 'apt-get install fish' },
  man: { present: onPath('man'), remedy: 'apt-get install man-db' },
  prometheus: {
    present: () => onPath('prometheus')() && onPath('promtool')(),
    remedy: 'apt-get install prometheus (which has promtool)',
  },
  dnsperf: { present: onPath('dnsperf'), remedy: 'apt-get install dnsperf' },
  knotd: { present: () => onPath('knotd')() || existsSync('/usr/sbin/knotd'), remedy: 'apt-get install knot' },
  unbound: {
    present: () => onPath('unbound')() || existsSync('/usr/sbin/unbound'),
    remedy: 'apt-get install unbound',
  },
  'control-plane': {
    present: () => inAssets('etcd', 'kube-apiserver'),
    remedy: `${assets} etcd and kube-apiserver (see CONTRIBUTING.md)`,
  },
  'controller-manager': {
    present: () => inAssets('etcd', 'kube-apiserver', 'kube-controller-manager'),
    remedy: `${assets} etcd, kube-apiserver and kube-controller-manager (see CONTRIBUTING.md)`,
  },
  coredns: { present: () => inAssets('coredns'), remedy: `${assets} coredns (see CONTRIBUTING.md)` },
  kubectl: { present: () => inAssets('kubectl'), remedy: `${assets} kubectl (see CONTRIBUTING.md)` },
  helm: { present: () => inAssets('helm'), remedy: `${assets} helm (see CONTRIBUTING.md)` },
  'aws-cli': { present: onPath('aws'), remedy: 'pip install awscli' },
  boto3: {
    present: () => spawnSync('python3', ['-c', 'import boto3'], { stdio: 'ignore' }).status === 0,
    remedy: 'pip install boto3',
  },
  'go-sdk': {
    present: () =>
      spawnSync('go', ['mod', 'download'], { cwd: 'test/ecs/go', stdio: 'ignore', timeout: 60_000 }).status === 0,
    remedy: 'install Go 1.26 and let it reach a module proxy',
  },
  'many-descriptors': {
    // Node raises its own limit as far as it may.
    present: () => process.platform !== 'linux' || maxDescriptors() >= 11_000,
    remedy: 'raise the hard limit of open files (ulimit -Hn) to 11000',
  },
  linux: { present: () => process.platform === 'linux', remedy: 'run on Linux', mayBeAbsent: true },
  'ipv6-loopback': {
    present: () => (networkInterfaces().lo ?? networkInterfaces().lo0 ?? []).some((entry) => entry.address === '::1'),
    remedy: 'enable IPv6 on the loopback interface',
    mayBeAbsent: true,
  },
  'network-namespace': {
    present: () => spawnSync('unshare', ['-rn', 'true'], { stdio: 'ignore' }).status === 0,
    remedy: 'allow unprivileged user namespaces (kernel.unprivileged_userns_clone=1)',
    mayBeAbsent: true,
  },
} satisfies Record<string, Requirement>;

/**
 * Options for `test()` that skip it where something it needs is absent:
 * `test('dig sees it', requirement('dig'), async () => …)`. With HEALTHDNS_REQUIRE_ALL=1 throws instead, except for
 * what a machine may lack for good.
 */
export function requirement(...names: (keyof typeof requirements)[]): { skip: string | false } {
  for (const name of names) {
    const needed: Requirement = requirements[name];
    if (needed.present()) continue;
    const missing = `${name} is missing: ${needed.remedy}`;
    if (process.env.HEALTHDNS_REQUIRE_ALL === '1' && needed.mayBeAbsent !== true) throw new Error(missing);
    return { skip: needed.mayBeAbsent === true ? `this machine cannot: ${missing}` : missing };
  }
  return { skip: false };
}

function maxDescriptors(): number {
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard);
}
