// Which of the configured addresses this host can have at all.
import { networkInterfaces } from 'node:os';
import type { ListenAddress } from '../config/config.ts';

/**
 * Without those of IPv6 on a host that has none: a file that names [::1] beside 127.0.0.1 is meant for both kinds of
 * host. Any other address that cannot be had is an error when it is listened on.
 */
export function presentAddresses(
  listen: readonly ListenAddress[],
  hostAddresses: readonly string[] = ownAddresses(),
): { readonly present: readonly ListenAddress[]; readonly skipped: readonly ListenAddress[] } {
  const hasIpv6 = hostAddresses.some((address) => address.includes(':'));
  const isAbsent = ({ address }: ListenAddress) =>
    address.includes(':') && (!hasIpv6 || (address === '::1' && !hostAddresses.includes('::1')));
  return { present: listen.filter((one) => !isAbsent(one)), skipped: listen.filter(isAbsent) };
}

function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((entries) => (entries ?? []).map(({ address }) => address));
}
