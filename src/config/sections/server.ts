// `server`: how the data plane behaves.
import * as v from 'valibot';
import type { ServerConfig } from '../config.ts';
import { choice, integer, mapping, seconds, text } from '../reading/shape.ts';

/** A TXT string (RFC 1035 section 3.3). */
const MAX_TXT_BYTES = 255;

export const serverEntry = v.optional(
  mapping(
    {
      udp: v.optional(
        choice(
          ['auto', 'batched', 'plain'],
          'batched: many packets per system call, and TCP through epoll (Linux); plain: through Node; auto: batched where available.',
        ),
        'auto',
      ),
      versionBind: v.optional(txt('Answer to CH TXT version.bind; REFUSED if not set.')),
      idServer: v.optional(txt('Answer to CH TXT id.server and hostname.bind; REFUSED if not set.')),
      udpPayloadBytes: v.optional(
        integer(512, 4096, 'Maximum size of a UDP response; 1232 passes any path unfragmented (RFC 9715).'),
        1232,
      ),
      lameduckSeconds: v.optional(
        seconds(0, 300, 'On shutdown, how long /ready fails while queries are still answered, before sockets close.'),
        0,
      ),
    },
    'Settings of the DNS server.',
  ),
  {},
);

function txt(description: string) {
  return text('text', description, (value) =>
    Buffer.byteLength(value) > MAX_TXT_BYTES
      ? `expected at most ${MAX_TXT_BYTES} bytes, got ${Buffer.byteLength(value)}`
      : undefined,
  );
}

export function buildServer(server: v.InferOutput<typeof serverEntry>): ServerConfig {
  return { ...server, versionBind: server.versionBind, idServer: server.idServer };
}
