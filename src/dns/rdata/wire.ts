// rdata inside a message: names in it may arrive compressed, and may be sent so (RFC 3597 section 4).
import { MAX_NAME_BYTES } from '../limits.ts';
import { MessageError, type WireReader } from '../reader.ts';
import type { WireWriter } from '../writer.ts';
import { layoutOf } from './layouts.ts';
import { splitRdata } from './rdata.ts';

/** Types whose names are expanded have at most three character strings (NAPTR) and two names. */
const expanded = new Uint8Array(1024 + 2 * MAX_NAME_BYTES);

/** The next `length` bytes as uncompressed rdata. Throws MessageError where the names in them are malformed. */
export function readRdata(reader: WireReader, type: number, length: number): Uint8Array {
  const layout = layoutOf(type);
  if (!layout?.compression) return reader.take(length);
  const { end: messageEnd, bytes } = reader;
  const start = reader.skip(length);
  const end = reader.at;
  reader.at = start;
  reader.end = end;
  let to = 0;
  for (const field of layout.fields) {
    if (field.kind === 'name') {
      to = reader.nameInto(expanded, to);
      continue;
    }
    const fieldEnd = field.end(bytes, reader.at);
    for (let at = reader.skip(fieldEnd - reader.at); at < fieldEnd; at++) expanded[to++] = bytes[at];
  }
  if (reader.at !== end) throw new MessageError(`${end - reader.at} bytes follow the rdata's fields at ${reader.at}`);
  reader.end = messageEnd;
  return expanded.slice(0, to);
}

/** Writes uncompressed rdata. Invalid values of a type (a broken upstream in a test) are written unchanged. */
export function writeRdata(writer: WireWriter, type: number, rdata: Uint8Array): void {
  const parts = layoutOf(type)?.compression === 'sent' ? splitRdata(type, rdata) : undefined;
  if (parts === undefined) {
    writer.put(rdata);
    return;
  }
  for (const { field, bytes } of parts) {
    if (field.kind === 'name') writer.name(bytes);
    else writer.put(bytes);
  }
}
