// Reverse zones by their network: "10.0.0.0/8" is 10.in-addr.arpa. (RFC 1035 section 3.5, RFC 3596 section 2.5).
import { formatIp, parseIp } from '../../dns/ip.ts';
import { reverseName } from '../../dns/name.ts';
import { shown } from '../reading/problem.ts';
import { text } from '../reading/shape.ts';
import { absoluteName, nameProblem } from './names.ts';

/** A zone's name, or a network whose length ends at a label. */
export function zoneName(expected: string, description: string) {
  return text(expected, description, (value) => {
    if (value === '@') return `expected ${expected}, got "@"`;
    return value.includes('/') ? networkProblem(value) : nameProblem(value);
  });
}

/** Absolute name of what `zoneName` accepts. */
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
