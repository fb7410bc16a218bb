// The settings of the data plane from the configuration and the addresses of this host.
import { availableParallelism, networkInterfaces } from 'node:os';
import type { Config, ListenAddress } from '../config/config.ts';
import type { ForwardSettings } from '../plane/forward-settings.ts';
import type { DataPlaneSettings } from '../plane/settings.ts';
import type { ViewSettings } from '../plane/view-settings.ts';
import { descriptorLimit, fittingLimits } from './descriptor-limit.ts';

/** Room for bursts: a query waits here while the thread answers others. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

/** `descriptors`: how many the process may open, if known. */
export function planeSettings(
  config: Config,
  listen: readonly ListenAddress[],
  descriptors = descriptorLimit(),
): DataPlaneSettings {
  const { server, limits } = config;
  const threads = config.threads === 'auto' ? automaticThreads() : config.threads;
  const { tcpConnections, forwardedQueries } = fittingLimits(config, threads, descriptors);
  const fitting = (forward: ForwardSettings) => ({ ...forward, maxConcurrent: forwardedQueries });
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
      connections: Math.max(1, Math.ceil(tcpConnections / threads)),
      idleMs: limits.tcpIdleSeconds * 1000,
      totalMs: limits.tcpTotalSeconds * 1000,
      unreadBytes: limits.tcpUnreadBytes,
      unreadTotalBytes: Math.ceil(limits.tcpUnreadTotalBytes / threads),
    },
    forward: config.forward && fitting(config.forward),
    front: config.front,
    ...(config.views && { views: config.views.map((view) => viewSettings(view, config.listen, fitting)) }),
    topQueries: config.topQueries,
    ...(config.dnstap && { dnstap: config.dnstap }),
    ...(config.push && { push: config.push }),
    receiveBufferBytes: RECEIVE_BUFFER_BYTES,
  };
}

const viewSettings = (
  view: ViewSettings,
  listen: readonly ListenAddress[],
  fitting: (forward: ForwardSettings) => ForwardSettings,
): ViewSettings => ({
  ...view,
  forward: view.forward && fitting(view.forward),
  listen: view.listen.length > 0 ? view.listen : listen,
});

/** One core is left to the control plane; a single core is shared. */
const automaticThreads = () => Math.max(1, availableParallelism() - 1);

/**
 * Without IPv6 loopback on a host without IPv6, so that a file with [::1] and 127.0.0.1 works on both kinds of host. Any
 * other address that is not available is an error when listening.
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

/** Default addresses of name servers inside own zones; a wildcard address is not usable. */
export const serverAddresses = (listen: readonly ListenAddress[]) =>
  [...new Set(listen.map(({ address }) => address))].filter((address) => address !== '0.0.0.0' && address !== '::');
