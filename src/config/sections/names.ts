// Names in zones.yaml: relative to their zone unless they end with a dot; "@" is the zone itself.
import { canonicalIp, formatIp, ipFamily, parseIp } from '../../dns/ip.ts';
import { formatName, isSubdomain, NameError, parseName, reverseName, type WireName } from '../../dns/name.ts';
import { shown } from '../../reading/problem.ts';
import { text } from '../../reading/shape.ts';
import { nearest } from '../../reading/suggest.ts';

const IPV4_EXAMPLE = '10.0.0.7';
const IPV6_EXAMPLE = '2001:db8::7';

/** A domain name, in the file's own spelling. */
export function domainName(expected: string, description: string) {
  return text(`${expected} (a domain name)`, description, nameProblem);
}

/** One label of letters, digits, hyphens and underscores, as in "api-1". */
export function label(expected: string, description: string) {
  return text(`${expected} (1 to 63 letters, digits, hyphens or underscores)`, description, labelProblem);
}

export function ipAddress(family: 4 | 6 | 'any', description: string) {
  const example = family === 6 ? IPV6_EXAMPLE : IPV4_EXAMPLE;
  const kind = family === 'any' ? 'IP' : `IPv${family}`;
  return text(`an ${kind} address such as ${example}`, description, (value) => ipProblem(value, family, kind, example));
}

function ipProblem(value: string, family: 4 | 6 | 'any', kind: string, example: string): string | undefined {
  const found = ipFamily(value);
  if (found !== 0 && (family === 'any' || found === family)) return undefined;
  const other = found === 0 ? '' : `, which is IPv${found}: write it as \`ipv${found}\``;
  return `expected an ${kind} address such as ${example}, got "${shown(value)}"${other}`;
}

/** The problem with a name, or undefined. */
export function nameProblem(value: string): string | undefined {
  if (value === '@') return undefined;
  try {
    parseName(value);
    return undefined;
  } catch (error) {
    return nameMessage(error);
  }
}

function labelProblem(value: string): string | undefined {
  if (/^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(value)) return undefined;
  if (value.length > 63) return `"${shown(value)}" has ${value.length} characters, at most 63 fit a DNS label`;
  return `expected letters, digits, hyphens or underscores (no hyphen at either end), got "${shown(value)}"`;
}

/** Internal form: absolute, lower case, trailing dot. Relative to `origin` (absolute text). Throws NameError. */
export function absoluteName(value: string, origin = '.'): string {
  return formatName(parseName(value, wireName(origin)));
}

export function isInZone(name: string, zone: string): boolean {
  return isSubdomain(wireName(name), wireName(zone));
}

export function wireName(absolute: string): WireName {
  return parseName(absolute);
}

/** RFC 5952 text of an address that was validated. */
export function canonical(address: string): string;
export function canonical(address: string | undefined): string | undefined;
export function canonical(address: string | undefined): string | undefined {
  return address === undefined ? undefined : canonicalIp(address);
}

/** The message of a NameError; other errors are bugs and are rethrown. */
export function nameMessage(error: unknown): string {
  if (error instanceof NameError) return error.message;
  throw error;
}

// `names`: templates that form the name of a service in its zone from its own name and its namespace.

const PLACEHOLDERS = ['service', 'namespace'] as const;
/** As in Kubernetes' DNS-Based Service Discovery 1.1.0. */
/** Of external addresses (CoreDNS's `k8s_external`). */
export const EXTERNAL_NAMES: readonly string[] = ['{service}.{namespace}'];
export const KUBERNETES_NAMES: readonly string[] = ['{service}.{namespace}.svc'];
/** As in a Cloud Map namespace. */
export const CLOUD_MAP_NAMES: readonly string[] = ['{service}'];

export function nameTemplate(description: string) {
  return text('a name template such as "{service}.{namespace}"', description, templateProblem);
}

/** The absolute name that a template gives. Throws NameError. */
export function expandTemplate(template: string, service: string, namespace: string, zone: string): string {
  return absoluteName(template.replaceAll('{service}', service).replaceAll('{namespace}', namespace), zone);
}

function templateProblem(template: string): string | undefined {
  for (const [placeholder, word] of template.matchAll(/\{([^{}]*)\}/g)) {
    if ((PLACEHOLDERS as readonly string[]).includes(word)) continue;
    const near = nearest(word, PLACEHOLDERS);
    const known = near ? `did you mean {${near}}?` : 'known are {service} and {namespace}';
    return `unknown placeholder "${shown(placeholder)}" in "${shown(template)}", ${known}`;
  }
  if (template.endsWith('.')) return `"${shown(template)}" must be relative to the zone: remove the dot at the end`;
  try {
    const expanded = expandTemplate(template, 'x', 'x', 'zone.');
    return /[{}]/.test(expanded) ? `"${shown(template)}" has an unmatched brace` : undefined;
  } catch (error) {
    return `"${shown(template)}" is not a name template: ${nameMessage(error)}`;
  }
}

// Reverse zones by their network: "10.0.0.0/8" is 10.in-addr.arpa. (RFC 1035 section 3.5, RFC 3596 section 2.5).

/** A zone's name, or a network whose length ends at a label. */
export function zoneName(expected: string, description: string) {
  return text(expected, description, (value) => {
    if (value === '@') return `expected ${expected}, got "@"`;
    return value.includes('/') ? networkProblem(value) : nameProblem(value);
  });
}

/** The absolute name of a text that `zoneName` accepts. */
export function zoneNameOf(value: string): string {
  return value.includes('/') ? networkZone(value)! : absoluteName(value);
}

function networkProblem(value: string): string | undefined {
  if (networkZone(value) !== undefined) return undefined;
  return `expected a network with a length that is a multiple of 8 (IPv4) or 4 (IPv6), such as 10.0.0.0/8, got "${shown(value)}"`;
}

function networkZone(value: string): string | undefined {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(value);
  const bytes = match && parseIp(match[1]);
  if (!match || !bytes) return undefined;
  const bitsPerLabel = bytes.length === 4 ? 8 : 4;
  const length = Number(match[2]);
  const labels = (bytes.length * 8) / bitsPerLabel;
  const kept = length / bitsPerLabel;
  if (!Number.isInteger(kept) || kept > labels) return undefined;
  return reverseName(formatIp(bytes))
    .split('.')
    .slice(labels - kept)
    .join('.');
}
