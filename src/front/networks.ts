// Networks of clients: "10.0.0.0/8", or single addresses.
import { parseIp } from '../dns/ip.ts';

/** Whether a client is in one of the networks; none: every client is. IPv4 clients of an IPv6 socket (::ffff:a.b.c.d) are IPv4. */
export function createNetworks(texts: readonly string[]): (client: Uint8Array) => boolean {
  const networks = texts.map(parseNetwork).filter((network) => network !== undefined);
  if (networks.length === 0) return () => true;
  return (client) => {
    const address = unmapped(client);
    return networks.some((network) => isIn(network, address));
  };
}

interface Network {
  readonly address: Uint8Array;
  readonly bits: number;
}

/** "10.0.0.0/8", or one address; undefined: neither. */
function parseNetwork(text: string): Network | undefined {
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
