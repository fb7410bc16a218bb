// The identifier of this server, for clients that ask for it (NSID, RFC 5001).
import { composeMessage, parseMessage } from '../dns/message/message.ts';
import { OPTION } from '../dns/types.ts';

/** Whether the query, whose question's name ends at `nameEnd`, has an empty NSID option. */
function asksForNsid(query: Uint8Array, nameEnd: number): boolean {
  // Most queries have no option at all.
  if (query.length <= nameEnd + 4 + OPT_BYTES) return false;
  const { edns } = parseMessage(query, { trailingBytes: true });
  return edns?.options.some(({ code }) => code === OPTION.NSID) ?? false;
}

const OPT_BYTES = 11;

/** Adds the option to responses that have an OPT and room for it. */
export function createNsid(text: string) {
  const nsid = { code: OPTION.NSID, data: new TextEncoder().encode(text) };
  return (query: Uint8Array, nameEnd: number, response: Uint8Array, maxBytes: number): Uint8Array => {
    if (response.length === 0 || !asksForNsid(query, nameEnd)) return response;
    const message = parseMessage(response);
    const { edns } = message;
    if (edns === undefined) return response;
    const whole = composeMessage({ ...message, edns: { ...edns, options: [...edns.options, nsid] } });
    return whole.length <= maxBytes ? whole : response;
  };
}
