// The search path walked here instead of by the client: a pod that asks for www.example.com.NAMESPACE.svc.cluster.local, the
// first of the five names that ndots:5 makes of www.example.com, gets the answer of the first name that exists. The
// conditions are those of CoreDNS's `autopath @kubernetes`: the client is a pod of that namespace (with `pods: verified`).
import { formatIp } from '../dns/ip.ts';
import type { WireName } from '../dns/name.ts';
import { formatName, isSubdomain, labelOffsets, NameError, parseName } from '../dns/name.ts';
import type { AutopathSettings } from '../plane/forward-settings.ts';

export interface Autopath {
  /**
   * The names to try after `name` itself, in order, and the name that exists if the client is a pod of the namespace whose
   * search path this would be; undefined: `name` is not the first of a search path.
   */
  plan(name: WireName, client: Uint8Array): { readonly pod: WireName; readonly rest: WireName[] } | undefined;
}

export function createAutopath(settings: AutopathSettings): Autopath {
  const zone = parseName(settings.zone);
  const services = parseName(`svc.${settings.zone}`);
  const domains = [formatName(services), formatName(zone), ...settings.search, '.'];
  return {
    plan(name, client) {
      if (!isSubdomain(name, services)) return undefined;
      const offsets = labelOffsets(name).filter((offset) => offset < name.length - services.length);
      // At least one label, and the namespace.
      if (offsets.length < 2) return undefined;
      const namespaceAt = offsets[offsets.length - 1];
      const namespace =
        formatName(name)
          .split('.')
          .at(-labelOffsets(services).length - 2) ?? '';
      const stem = formatName(Uint8Array.from([...name.subarray(0, namespaceAt), 0]));
      try {
        return {
          pod: parseName(`${dashed(client)}.${namespace}.pod.${settings.zone}`),
          rest: domains.map((domain) => parseName(domain === '.' ? stem : `${stem}${domain}`)),
        };
      } catch (error) {
        if (error instanceof NameError) return undefined;
        throw error;
      }
    },
  };
}

/** How pod names spell an address: 10-0-0-1, fd00--1. */
function dashed(client: Uint8Array): string {
  const mapped =
    client.length === 16 && client[10] === 0xff && client[11] === 0xff && client[0] === 0 && client[1] === 0;
  return formatIp(mapped ? client.subarray(12) : client).replaceAll(/[.:]/g, '-');
}
