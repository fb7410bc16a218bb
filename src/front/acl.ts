// Who may ask what: CoreDNS's `acl`. Rules are looked at in order, and the first that fits decides.
import { parseIp } from '../dns/ip.ts';
import type { WireName } from '../dns/name.ts';
import { isSubdomain, parseName } from '../dns/name.ts';
import type { AclRule } from '../plane/forward-settings.ts';

export type AclAction = AclRule['action'];

/** `client` has 4 or 16 bytes; IPv4 clients of an IPv6 socket (::ffff:a.b.c.d) count as IPv4. */
export type Acl = (client: Uint8Array, name: WireName, type: number) => AclAction;

export function createAcl(rules: readonly AclRule[]): Acl {
  const compiled = rules.map(({ action, zones, types, networks }) => ({
    action,
    zones: zones.map((zone) => parseName(zone)),
    types,
    networks: networks.map(parseNetwork).filter((network) => network !== undefined),
  }));
  return (client, name, type) => {
    const address = unmapped(client);
    for (const { action, zones, types, networks } of compiled) {
      if (types.length > 0 && !types.includes(type)) continue;
      if (zones.length > 0 && !zones.some((zone) => isSubdomain(name, zone))) continue;
      if (networks.length === 0 || networks.some((network) => isIn(network, address))) return action;
    }
    return 'allow';
  };
}

export interface Network {
  readonly address: Uint8Array;
  readonly bits: number;
}

/** "10.0.0.0/8", or one address; undefined: neither. */
export function parseNetwork(text: string): Network | undefined {
  const [, ip, length] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = ip === undefined ? undefined : parseIp(ip);
  if (address === undefined) return undefined;
  const bits = length === undefined ? address.length * 8 : Number(length);
  return bits <= address.length * 8 ? { address, bits } : undefined;
}

function isIn({ address, bits }: Network, client: Uint8Array): boolean {
  if (client.length !== address.length) return false;
  const whole = bits >> 3;
  for (let i = 0; i < whole; i++) if (client[i] !== address[i]) return false;
  const rest = bits & 7;
  return rest === 0 || (client[whole] ^ address[whole]) >> (8 - rest) === 0;
}

function unmapped(client: Uint8Array): Uint8Array {
  if (client.length !== 16 || client[10] !== 0xff || client[11] !== 0xff) return client;
  for (let i = 0; i < 10; i++) if (client[i] !== 0) return client;
  return client.subarray(12);
}
