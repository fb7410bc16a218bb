// The ConfigMap of kube-dns (https://kubernetes.io/docs/tasks/administer-cluster/dns-custom-nameservers/) as a Corefile that
// says the same, so that there is one translation.

/** Problems are sentences about a key of the ConfigMap. */
export function corefileOfKubeDns(
  data: Readonly<Record<string, string>>,
  clusterDomain: string,
): { readonly corefile: string; readonly problems: readonly string[] } {
  const problems: string[] = [];
  const stubDomains = Object.entries(parse(data.stubDomains, 'stubDomains', problems, isStubDomains) ?? {});
  const upstreams = parse(data.upstreamNameservers, 'upstreamNameservers', problems, isTexts) ?? ['/etc/resolv.conf'];
  for (const key of Object.keys(data))
    if (!['stubDomains', 'upstreamNameservers'].includes(key))
      problems.push(`${key}: kube-dns no longer reads this key`);
  const stubs = stubDomains.map(
    ([domain, servers]) => `${domain}:53 {\n    forward . ${servers.join(' ')}\n    cache 30\n}\n`,
  );
  const main = `.:53 {
    errors
    health
    ready
    kubernetes ${clusterDomain} in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    prometheus :9153
    forward . ${upstreams.join(' ')}
    cache 30
    loop
    reload
    loadbalance
}
`;
  return { corefile: main + stubs.join(''), problems };
}

function parse<T>(
  text: string | undefined,
  key: string,
  problems: string[],
  is: (value: unknown) => value is T,
): T | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (is(value)) return value;
    problems.push(
      `${key}: expected ${key === 'stubDomains' ? '{"DOMAIN": ["ADDRESS"]}' : '["ADDRESS"]'}, got ${text.slice(0, 80)}`,
    );
  } catch (error) {
    problems.push(`${key}: not JSON: ${(error as Error).message}`);
  }
  return undefined;
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string' && !/[\s{}"#]/.test(item));
}

function isStubDomains(value: unknown): value is Record<string, string[]> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.entries(value).every(([domain, servers]) => /^[\w.-]+$/.test(domain) && isTexts(servers))
  );
}
