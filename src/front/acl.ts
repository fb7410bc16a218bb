// Access control: CoreDNS's `acl`. The first matching rule decides.
import type { WireName } from '../dns/name.ts';
import { isSubdomain, parseName } from '../dns/name.ts';
import type { AclRule } from '../plane/forward-settings.ts';
import { createNetworks } from './networks.ts';

export type AclAction = AclRule['action'];

/** `client` has 4 or 16 bytes; IPv4 clients of an IPv6 socket (::ffff:a.b.c.d) count as IPv4. */
export type Acl = (client: Uint8Array, name: WireName, type: number) => AclAction;

export function createAcl(rules: readonly AclRule[]): Acl {
  const compiled = rules.map(({ action, zones, types, networks }) => ({
    action,
    zones: zones.map((zone) => parseName(zone)),
    types,
    covers: createNetworks(networks),
  }));
  return (client, name, type) => {
    for (const { action, zones, types, covers } of compiled) {
      if (types.length > 0 && !types.includes(type)) continue;
      if (zones.length > 0 && !zones.some((zone) => isSubdomain(name, zone))) continue;
      if (covers(client)) return action;
    }
    return 'allow';
  };
}
