// Networks of clients in the configuration.
import { parseIp } from '../../dns/ip.ts';
import { show } from '../../reading/problem.ts';
import { text } from '../../reading/shape.ts';

const NETWORK = 'an address or network such as 10.0.0.0/8';

export const clientNetwork = text(NETWORK, 'An address, or a network in the form ADDRESS/BITS.', (value) => {
  const [, ip, bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(value) ?? [];
  const bytes = ip === undefined ? undefined : parseIp(ip);
  const fits = bytes !== undefined && Number(bits ?? 0) <= bytes.length * 8;
  return fits ? undefined : `expected ${NETWORK}, got ${show(value)}`;
});
