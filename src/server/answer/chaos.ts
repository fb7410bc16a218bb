// Class CH: what the server reveals about itself, if configured.

import type { LabelledName } from '../../dns/fast/question-reader.ts';
import { parseName } from '../../dns/name.ts';
import { TYPE } from '../../dns/types.ts';
import type { ResponderSettings } from '../../plane/settings.ts';

/** Returns a function from name and type to the rdata of a TXT record, or undefined. */
export function createChaosAnswers(
  settings: ResponderSettings,
): (name: LabelledName, type: number) => Uint8Array | undefined {
  const known = [
    { name: parseName('version.bind'), text: settings.versionBind },
    { name: parseName('version.server'), text: settings.versionBind },
    { name: parseName('id.server'), text: settings.idServer },
    { name: parseName('hostname.bind'), text: settings.idServer },
  ].flatMap(({ name, text }) => (text === undefined ? [] : [{ name, rdata: characterString(text) }]));

  return (asked, type) => {
    if (type !== TYPE.TXT && type !== TYPE.ANY) return undefined;
    return known.find(({ name }) => name.length === asked.length && name.every((byte, i) => byte === asked.bytes[i]))
      ?.rdata;
  };
}

/** RFC 1035 section 3.3: a length byte and at most 255 bytes, here at most 200 so that it fits into every response. */
function characterString(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text).subarray(0, 200);
  return Uint8Array.of(bytes.length, ...bytes);
}
