// Why queries of the soak got no response: the server withheld it on purpose (limits of one client), or the kernel had no
// room for a datagram. What is left has been lost by the server.
import { readFileSync } from 'node:fs';

export interface Unanswered {
  /** Late responses and errors over the limits of one client. */
  readonly withheld: number;
  /** By the kernel, in the sockets of the server and of its clients. */
  readonly droppedAtServer: number;
  readonly droppedAtClients: number;
}

const SAMPLE_MS = 500;
const WITHHELD = /^healthdns_forward_client_limited_total\{reason="(?:late|errors)"\} (\d+)$/gm;

/** `stop` is called after the clients have waited long enough. */
export function watchUnanswered(http: string, port: number): { stop(): Promise<Unanswered> } {
  const before = withheld(http);
  /** By inode: sockets of clients end with them. */
  const clients = new Map<string, number>();
  let droppedAtServer = 0;
  const sample = () => {
    for (const { inode, drops, isServer, isClient } of udpSockets(port)) {
      if (isServer) droppedAtServer = drops;
      if (isClient) clients.set(inode, drops);
    }
  };
  const timer = setInterval(sample, SAMPLE_MS);
  return {
    async stop() {
      clearInterval(timer);
      sample();
      const droppedAtClients = [...clients.values()].reduce((sum, drops) => sum + drops, 0);
      return { withheld: (await withheld(http)) - (await before), droppedAtServer, droppedAtClients };
    },
  };
}

async function withheld(http: string): Promise<number> {
  const text = await (await fetch(`${http}/metrics`)).text();
  return [...text.matchAll(WITHHELD)].reduce((sum, [, value]) => sum + Number(value), 0);
}

function udpSockets(port: number) {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = readFileSync('/proc/net/udp', 'utf8').trim().split('\n').slice(1);
  return lines.map((line) => {
    const fields = line.trim().split(/\s+/);
    return {
      inode: fields[9]!,
      drops: Number(fields.at(-1)),
      isServer: fields[1]!.endsWith(suffix),
      isClient: fields[2]!.endsWith(suffix),
    };
  });
}
