// Names in zones.yaml: relative to their zone unless they end with a dot, "@" for the zone itself.
import { canonicalIp, ipFamily } from '../../dns/ip.ts';
import { formatName, isSubdomain, NameError, parseName, type WireName } from '../../dns/name.ts';
import { shown } from '../reading/problem.ts';
import { text } from '../reading/shape.ts';

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

/** What is wrong with a name, or undefined. */
export function nameProblem(value: string): string | undefined {
  if (value === '@') return undefined;
  try {
    parseName(value);
    return undefined;
  } catch (error) {
    return nameMessage(error);
  }
}

export function labelProblem(value: string): string | undefined {
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

/** A NameError's message; other errors are a bug and go on. */
export function nameMessage(error: unknown): string {
  if (error instanceof NameError) return error.message;
  throw error;
}
