// The configuration as the data plane needs it, and the addresses that this host has.
import { availableParallelism, networkInterfaces } from 'node:os';
import type { Config, ListenAddress } from '../config/config.ts';
import type { DataPlaneSettings } from '../plane/settings.ts';

/** Room for bursts: a query waits here while the thread answers others. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

export function planeSettings(config: Config, listen: readonly ListenAddress[]): DataPlaneSettings {
  const { server, limits } = config;
  const threads = config.threads === 'auto' ? automaticThreads() : config.threads;
  return {
    listen,
    threads,
    udp: server.udp,
    reusePort: server.reusePort,
    responder: {
      udpPayloadBytes: server.udpPayloadBytes,
      versionBind: server.versionBind,
      idServer: server.idServer,
      forwarding: config.forward !== undefined,
      tcpIdleMs: limits.tcpIdleSeconds * 1000,
    },
    tcp: {
      connections: Math.max(1, Math.ceil(limits.tcpConnections / threads)),
      idleMs: limits.tcpIdleSeconds * 1000,
      totalMs: limits.tcpTotalSeconds * 1000,
      unreadBytes: limits.tcpUnreadBytes,
      unreadTotalBytes: Math.ceil(limits.tcpUnreadTotalBytes / threads),
    },
    forward: config.forward,
    front: config.front,
    receiveBufferBytes: RECEIVE_BUFFER_BYTES,
  };
}

/** One core stays with the control plane; where there is one only, they share it. */
const automaticThreads = () => Math.max(1, availableParallelism() - 1);

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

/** Name servers inside our zones have these addresses unless records say otherwise; a wildcard address is nobody's. */
export const serverAddresses = (listen: readonly ListenAddress[]) =>
  [...new Set(listen.map(({ address }) => address))].filter((address) => address !== '0.0.0.0' && address !== '::');
