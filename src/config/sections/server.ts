// `server`: behavior of the data plane; `limits`: bounds on the resources that others can make the process use.
import * as v from 'valibot';
import { FORWARD_DEFAULTS } from '../../plane/forward-settings.ts';
import { choice, flag, integer, mapping, seconds, text } from '../../reading/shape.ts';
import type { ServerConfig } from '../config.ts';

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
      reusePort: v.optional(
        flag(
          'SO_REUSEPORT with one thread, too: a second healthdns of the same user may listen on the same addresses and take over without a lost query. Addresses that are already in use are then not reported. Needs batched UDP.',
        ),
        false,
      ),
      errorText: v.optional(
        flag(
          'Extended DNS errors (RFC 8914) have a text that says why: which instances are not healthy, what has not been read, which upstream server timed out. It is visible to every client.',
        ),
        true,
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

export const limitsEntry = v.optional(
  mapping(
    {
      tcpConnections: v.optional(
        integer(
          1,
          100_000,
          'Maximum open TCP connections, divided evenly among the threads; at its limit a thread closes the idlest.',
        ),
        1000,
      ),
      tcpIdleSeconds: v.optional(
        seconds(
          0.1,
          3600,
          'A TCP connection on which the client sends no query, or reads no answer, is closed after this time (RFC 7766).',
        ),
        10,
      ),
      tcpTotalSeconds: v.optional(seconds(1, 86_400, 'Maximum lifetime of a TCP connection.'), 600),
      tcpUnreadBytes: v.optional(
        integer(
          4096,
          1_073_741_824,
          'Size of the answers that a TCP client may leave unread before its next queries wait.',
        ),
        65_536,
      ),
      tcpUnreadTotalBytes: v.optional(
        integer(
          1_048_576,
          68_719_476_736,
          'Unread answers of all TCP clients, divided evenly among the threads; beyond it, the connections that have not read for the longest time are closed.',
        ),
        67_108_864,
      ),
      forwardedQueries: v.optional(
        integer(
          1,
          1_000_000,
          'Maximum clients waiting for upstream servers, per thread; others get SERVFAIL. One entry of `forward` may use at most as many places as remain free.',
        ),
        FORWARD_DEFAULTS.maxConcurrent,
      ),
      forwardedQueriesPerClient: v.optional(
        integer(
          1,
          1_000_000,
          'The same for one client (an IPv4 address, or the /64 of an IPv6 address); its other queries get SERVFAIL.',
        ),
        FORWARD_DEFAULTS.clients.maxWaiting,
      ),
      discardSeconds: v.optional(
        seconds(
          0,
          60,
          'Replies that come later are discarded if 16 or more queries of the client wait, except over TCP; 0: never.',
        ),
        FORWARD_DEFAULTS.clients.discardMs / 1000,
      ),
      errorsPerSecond: v.optional(
        integer(
          0,
          1_000_000,
          'Maximum SERVFAIL and REFUSED responses to forwarded queries of one client, per thread; beyond it every second one is dropped, the others are truncated. Not over TCP; 0: no limit.',
        ),
        FORWARD_DEFAULTS.clients.errorsPerSecond,
      ),
      concurrentChecks: v.optional(
        integer(1, 10_000, 'Maximum health checks running at the same time; others wait.'),
        100,
      ),
      httpBodyBytes: v.optional(integer(1024, 104_857_600, 'Maximum size of an HTTP request body.'), 1_048_576),
      httpConnections: v.optional(
        integer(1, 100_000, 'Maximum open HTTP connections; beyond it, the one that has been idle longest is closed.'),
        256,
      ),
    },
    'Limits; exceeding one yields an error and is counted.',
  ),
  {},
);
