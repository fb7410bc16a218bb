// ExternalName services: a CNAME (specification 2.5), followed when the query is answered.
import { parseIp } from '../../dns/ip.ts';
import { NameError, parseName, sameName, type WireName } from '../../dns/name.ts';
import { TYPE } from '../../dns/types.ts';
import type { Compilation } from './compilation.ts';
import { always, answersAlways, draftOf, published, rrsetOf } from './published-name.ts';

export function externalNames({ service, bases, names, context }: Compilation): void {
  const target = parsedTarget(service.externalName ?? '', context.leftOut);
  if (target === undefined) return;
  for (const base of bases) {
    if (sameName(target, base)) {
      context.leftOut('its external name is its own name');
      continue;
    }
    const draft = draftOf(base);
    rrsetOf(draft, TYPE.CNAME, answersAlways(service.ttlSeconds)).records.push(always(target));
    names.push(published(draft));
  }
}

/** An address is not a name to point to: CoreDNS does not answer such services, and "192.0.2.1." has no records either. */
function parsedTarget(text: string, leftOut: (problem: string) => void): WireName | undefined {
  if (parseIp(text.replace(/\.$/, '')) !== undefined) {
    leftOut(`its external name "${text}" is an IP address, not a name`);
    return undefined;
  }
  try {
    return parseName(text);
  } catch (error) {
    if (!(error instanceof NameError)) throw error;
    leftOut(`its external name: ${error.message}`);
    return undefined;
  }
}
