// The identifier of this server, for clients that ask for it (NSID, RFC 5001).
import { emptyQueryEdns, readQueryEdns } from '../dns/fast/query-edns.ts';
import { composeIfFits, parseMessage } from '../dns/message/message.ts';
import { OPTION } from '../dns/types.ts';

/** Adds the option to responses that have an OPT and room for it. The question's name ends at `nameEnd`. */
export function createNsid(text: string) {
  const asked = emptyQueryEdns();
  const nsid = { code: OPTION.NSID, data: new TextEncoder().encode(text) };
  return (query: Uint8Array, nameEnd: number, response: Uint8Array, maxBytes: number): Uint8Array => {
    const isReadable = readQueryEdns(query, 0, nameEnd + 4, query.length, asked);
    if (response.length === 0 || !isReadable || !asked.nsid) return response;
    const message = parseMessage(response);
    const { edns } = message;
    if (edns === undefined) return response;
    const options = [...edns.options, nsid];
    return composeIfFits({ ...message, edns: { ...edns, options } }, maxBytes) ?? response;
  };
}
