// The configuration as the data plane needs it.
import { availableParallelism } from 'node:os';
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
