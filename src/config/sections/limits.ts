// `limits`: how much others may make the server hold.
import * as v from 'valibot';
import { integer, mapping, seconds } from '../reading/shape.ts';

export const limitsEntry = v.optional(
  mapping(
    {
      tcpConnections: v.optional(
        integer(
          1,
          100_000,
          'Open TCP connections, shared evenly among the threads; over its share a thread closes the idlest.',
        ),
        1000,
      ),
      tcpIdleSeconds: v.optional(
        seconds(0.1, 3600, 'A TCP connection that asks nothing, or reads nothing, for so long is closed (RFC 7766).'),
        10,
      ),
      tcpTotalSeconds: v.optional(seconds(1, 86_400, 'A TCP connection is closed after so long in any case.'), 600),
      tcpUnreadBytes: v.optional(
        integer(4096, 1_073_741_824, 'Answers a TCP client may leave unread before its further queries wait.'),
        65_536,
      ),
      tcpUnreadTotalBytes: v.optional(
        integer(
          1_048_576,
          68_719_476_736,
          'Unread answers of all TCP clients, shared evenly among the threads; beyond it those that have not read for longest are closed.',
        ),
        67_108_864,
      ),
      forwardedQueries: v.optional(
        integer(
          1,
          1_000_000,
          'Clients that wait for other servers at one time, in each thread; others get SERVFAIL. No entry of `forward` has more than it leaves free.',
        ),
        4096,
      ),
      concurrentChecks: v.optional(integer(1, 10_000, 'Active health checks that run at one time; others wait.'), 100),
      httpBodyBytes: v.optional(integer(1024, 104_857_600, 'Largest HTTP request body.'), 1_048_576),
      httpConnections: v.optional(
        integer(1, 100_000, 'Open HTTP connections; beyond it the one longest without a request is closed.'),
        256,
      ),
    },
    'Limits; beyond them there is an error and a counter.',
  ),
  {},
);
